/**
 * Strategies over fleets that are even, mixed, slow, failing, noisy or churning, at 50 to 90 % of what they can do, in
 * simulated time. The same seeds give the same figures everywhere.
 */

import type { BalancingPolicy } from "@inmesh/core/internal";
import { FLEETS } from "../balance/fleet.js";
import { updatePage } from "../balance/page.js";
import { type SimulationResult, simulate } from "../balance/simulate.js";
import type { Report } from "../lib/table.js";

export const STRATEGIES: Readonly<Record<string, BalancingPolicy>> = {
  RANDOM: { loadBalancer: "random" },
  ROUND_ROBIN: { loadBalancer: "roundRobin" },
  LEAST_REQUEST: { loadBalancer: "leastRequest" },
  "LEAST_REQUEST, warmup 10 s": {
    loadBalancer: "leastRequest",
    warmup: { windowMs: 10_000, minimumRatio: 0.1, aggression: 1 },
  },
  PEAK_EWMA: { loadBalancer: "peakEwma" },
  PREQUAL: { loadBalancer: "prequal" },
};
export const UTILISATIONS = [0.5, 0.7, 0.9];
const SEEDS = [1, 2, 3];

/** Medians of the seeds. */
export function measure(strategy: string, fleet: string, utilisation: number): SimulationResult {
  const policy = STRATEGIES[strategy]!; // one of the table
  const found = FLEETS.find(({ name }) => name === fleet)!; // likewise
  const runs = SEEDS.map((seed) => simulate({ fleet: found, policy, utilisation, seed }));
  const median = (of: (run: SimulationResult) => number): number => runs.map(of).sort((a, b) => a - b)[1]!; // of three
  return {
    p50Ms: median(({ p50Ms }) => p50Ms),
    p99Ms: median(({ p99Ms }) => p99Ms),
    failedPercent: median(({ failedPercent }) => failedPercent),
    skew: median(({ skew }) => skew),
  };
}

export async function balance(): Promise<Report> {
  const rows = FLEETS.flatMap((fleet) =>
    UTILISATIONS.flatMap((utilisation) =>
      Object.keys(STRATEGIES).map((strategy) => ({
        strategy,
        fleet,
        utilisation,
        result: measure(strategy, fleet.name, utilisation),
      })),
    ),
  );
  if (process.argv.includes("--update-docs")) updatePage(rows);
  return {
    bench: "balance",
    rows: rows.map(({ strategy, fleet, utilisation, result: { p50Ms, p99Ms, failedPercent, skew } }) => ({
      strategy,
      fleet: fleet.name,
      load: `${utilisation * 100} %`,
      "p50 ms": p50Ms.toFixed(0),
      "p99 ms": p99Ms.toFixed(0),
      "failed %": failedPercent.toFixed(1),
      skew: skew.toFixed(2),
    })),
    notes: ["10 clients, 20 servers, requests of 10 ms on average; medians of three seeds"],
  };
}
