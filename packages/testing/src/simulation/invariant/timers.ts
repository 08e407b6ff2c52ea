/** A call that is over has no timer, an idle engine has none but for health checks, a closed one has none at all. */

import type { SimExchange } from "../sim-exchange.js";
import type { MakeInvariant } from "./invariant.js";

export const timers: MakeInvariant = ({ world, engine, prober }) => {
  const { clock } = world;
  /** Since the last event. */
  const ended: SimExchange[] = [];
  const wrong = (message: string): void => world.violate("timers", message);
  return {
    heard(exchange) {
      if (exchange.over) ended.push(exchange);
    },
    settled() {
      for (const { name, call, sends } of ended.splice(0)) {
        if ((call?.wheelTick ?? -1) >= 0) wrong(`the timeout of ${name} is armed after its end`);
        const armed = sends.find(({ wheelTick }) => wheelTick >= 0);
        if (armed !== undefined) wrong(`the timeout of attempt ${armed.number} of ${name} is armed after its end`);
      }
    },
    drained() {
      if (clock.held !== 0) wrong(`${clock.held} waits go on when nobody waits`);
      if (engine.wheel.size !== 0) wrong(`${engine.wheel.size} timeouts are armed when all is over`);
    },
    idle() {
      if (prober.watched > 0) return; // health checks go on
      engine.wheel.stop(); // its timer is left to find that nothing is armed, which may be a while from now
      if (clock.pending > world.own) wrong(`${clock.pending - world.own} timers run in an idle engine`);
    },
    closed() {
      if (prober.watched > 0) wrong(`${prober.watched} endpoints are checked by a closed engine`);
      if (clock.pending > world.own) wrong(`${clock.pending - world.own} timers run in a closed engine`);
    },
  };
};
