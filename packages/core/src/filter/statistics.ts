/** Counters under the name that a rule's match asks for: Envoy's statistics of a route. */

import type { Stage } from "../stack/stack.js";
import type { CallStats } from "../stats/call-stats.js";

export const statistics: Stage = {
  role: "statistics",
  describe: "counts and times the rule's calls under a name of their own",
  make({ statPrefix }, { ruleStats }) {
    if (!statPrefix) return undefined;
    let stats: CallStats | undefined; // a route is of one virtual host, which its calls name
    return {
      parameters: statPrefix,
      call: (next) => (call) => {
        stats ??= ruleStats.of(call.virtualHost?.name ?? "", statPrefix);
        stats.inFlight += 1;
        next(call);
      },
      callEnded: (call) => stats?.record(call),
    };
  },
};
