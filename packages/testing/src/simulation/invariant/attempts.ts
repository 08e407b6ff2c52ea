/**
 * Policy says how often a call is tried, and nothing is sent twice that must not be: not what may have been carried out,
 * not a body that is gone, not after the caller has its answer.
 */

import type { Attempt } from "@inmesh/core";
import { type SimExchange, SimMirror } from "../sim-exchange.js";
import type { MakeInvariant } from "./invariant.js";

export const attempts: MakeInvariant = ({ world, load, network, view }) => {
  /** Attempts that hedging allows a call, by the widest policy that it met. */
  const widest = new WeakMap<SimExchange, number>();
  return {
    sent(exchange, attempt) {
      const { name, sends, heard } = exchange;
      const { call } = attempt;
      const wrong = (message: string): void => world.violate("attempts", `${name} ${message}`);
      if (heard.length > 0) wrong(`was sent after it had heard ${heard.join(", ")}`);
      if (call.route === undefined) return wrong("was sent without a rule");
      // One more where a kept-alive connection turned out to be closed.
      const replays = sends.filter(isReplayable).length > 0 && call.replayed ? 1 : 0;
      const copy = exchange instanceof SimMirror;
      const spent = load.byExchange.get(exchange)?.spent ?? 0;
      const { hedging } = view.policy(call.cluster?.config.name ?? "");
      if (hedging !== undefined) widest.set(exchange, Math.max(widest.get(exchange) ?? 0, hedging.maxAttempts));
      const byRule = copy ? 1 : Math.max(call.route.retry.maxAttempts, widest.get(exchange) ?? 0);
      const most = Math.max(1, byRule - spent) + replays;
      if (sends.length > most) wrong(`was sent ${sends.length} times, ${most} allowed`);
      if (sends.length === 1 || copy) return;
      if (!exchange.replayable) wrong("was sent again, though its body is a stream");
      const idempotent = load.byExchange.get(exchange)?.idempotent ?? true;
      const acted = sends.slice(0, -1).filter((each) => each.sent && !network.unprocessed.has(each));
      if (!idempotent && acted.length > 0) {
        wrong(`may be carried out twice: attempt ${acted[0]?.number} was written, and another follows`);
      }
    },
    reported({ name, sends }, { phase }) {
      if (phase !== "settled") world.violate("attempts", `${name}: attempt ${sends.length} is ${phase} after its end`);
    },
  };
};

/** It was written on a kept-alive connection and had no answer. */
function isReplayable({ reused, status }: Attempt): boolean {
  return reused && status === 0;
}
