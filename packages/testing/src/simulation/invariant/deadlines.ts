/** Nobody waits longer than the deadline and one tick of the timers: neither a caller, nor an attempt for its head. */

import type { SimExchange } from "../sim-exchange.js";
import type { MakeInvariant } from "./invariant.js";

/** Of the engine's timer wheel, in ms. */
const TICK_MS = 4;

export const deadlines: MakeInvariant = ({ world, load }) => {
  const late = (at: number): boolean => world.now > world.latest(at, TICK_MS);

  /** By when it must be over: as inherited, or the rule's timeout from the moment it went on its way. */
  const deadlineOf = (exchange: SimExchange): number => {
    const inheritedAt = load.byExchange.get(exchange)?.inheritedAt ?? Number.POSITIVE_INFINITY;
    const timeoutMs = exchange.call?.route?.timeoutMs ?? 0;
    const first = exchange.sends[0];
    return timeoutMs > 0 && first !== undefined ? Math.min(inheritedAt, first.startedAt + timeoutMs) : inheritedAt;
  };

  return {
    heard(exchange) {
      if (!exchange.over) return;
      const at = deadlineOf(exchange);
      if (late(at))
        world.violate("deadlines", `${exchange.name} ended ${(world.now - at).toFixed(3)} ms after it was due`);
    },
    settled() {
      for (const { exchange } of load.waiting) {
        if (late(deadlineOf(exchange))) world.violate("deadlines", `${exchange.name} goes on after it was due`);
        const { perTryTimeoutMs = 0 } = exchange.call?.route?.retry ?? {};
        const timeoutMs = exchange.call?.route?.timeoutMs ?? 0;
        if (perTryTimeoutMs === 0 || (timeoutMs > 0 && perTryTimeoutMs >= timeoutMs)) continue;
        for (const { number, phase, startedAt } of exchange.sends) {
          if ((phase === "queued" || phase === "written") && late(startedAt + perTryTimeoutMs)) {
            world.violate("deadlines", `attempt ${number} of ${exchange.name} outlives its perTryTimeout`);
          }
        }
      }
    },
  };
};
