/** Backends that answer badly. Each request asks for it, so these loads can run beside each other, each over a mesh of its own. */

import { LIMITS } from "../client/client.js";
import type { Fault } from "../messages.js";
import { amplifiedBeyond, budgetOf, type Form, failedIdempotent, MIX, type Scenario } from "./scenario.js";

/** A timeout is late by what a busy machine makes of it, in ms. */
const LATE_MS = 1_000;

export function badAnswers({ perSecond, seconds, patience }: Form): readonly Scenario[] {
  const load = (fault: Fault): Scenario["load"] => ({ perSecond, seconds, ...MIX, fault });
  const thirty: Scenario = {
    name: "30 % errors everywhere",
    load: load({ kind: "error", ratio: 0.3 }),
    broken: (tally) => [
      ...amplifiedBeyond(tally, budgetOf(thirty)),
      ...(tally.all.ok === tally.all.sent ? ["nothing failed, so nothing was tried"] : []),
    ],
  };
  const hundred: Scenario = {
    name: "100 % errors everywhere",
    load: load({ kind: "error", ratio: 1 }),
    broken: (tally) => [
      ...amplifiedBeyond(tally, budgetOf(hundred)),
      ...(tally.all.ok > 0 ? [`${tally.all.ok} were answered well`] : []),
      ...(tally.reasons.has("BREAKER_OPEN") ? [] : ["the circuit breaker never opened"]),
    ],
  };
  return [
    {
      name: "1 % errors",
      load: load({ kind: "error", ratio: 0.01 }),
      broken: (tally) => [...failedIdempotent(tally, 0.9999), ...amplifiedBeyond(tally, 1.2)],
    },
    thirty,
    hundred,
    {
      name: "reset after the headers",
      load: load({ kind: "reset-after-headers", ratio: 0.2 }),
      broken: (tally) => [...surfaced(tally), ...amplifiedBeyond(tally, 1)],
    },
    {
      name: "one endpoint, heads byte by byte",
      load: load({ kind: "slow-head", ratio: 1, at: 0 }),
      broken: (tally) => failedIdempotent(tally),
    },
    {
      name: "bodies byte by byte",
      load: load({ kind: "slow-body", ratio: 0.05 }),
      broken: (tally) => [
        ...(tally.longestMs > patience * LIMITS.allMs + LATE_MS ? [`one took ${Math.round(tally.longestMs)} ms`] : []),
        ...surfaced(tally),
        ...amplifiedBeyond(tally, 1),
      ],
    },
  ];
}

/** What began well and did not end well may not look well to anybody, and may not be tried again. */
function surfaced({ hidden, reasons }: Parameters<Scenario["broken"]>[0]): string[] {
  return [
    ...(hidden > 0 ? [`${hidden} answers without an end were hidden`] : []),
    ...(reasons.size === 0 ? ["nothing failed, so nothing was tried"] : []),
  ];
}
