/** Event loops that stand still, as under a long garbage collection. */

import { LIMITS } from "../client/client.js";
import { amplifiedBeyond, type Form, failed, failedIdempotent, MIX, type Scenario } from "./scenario.js";

/** Once a second, and longer than an attempt may take: how much longer, as its share. */
const CLIENT_STALL_RATIO = 1.25;

export function standstills({ perSecond, seconds, patience }: Form): readonly Scenario[] {
  return [
    {
      name: "servers stand still, 300 ms",
      load: { perSecond, seconds, ...MIX, fault: { kind: "stall", ratio: 0.8 / perSecond } },
      broken: (tally) => failedIdempotent(tally),
    },
    {
      name: "the caller stands still, longer than an attempt may take",
      load: { perSecond, seconds, ...MIX, stallMs: CLIENT_STALL_RATIO * patience * LIMITS.attemptMs },
      // What stood here was not the peers' fault: nothing fails and nothing is sent again.
      broken: (tally) => [...failed(tally), ...amplifiedBeyond(tally, 1.01)],
    },
  ];
}
