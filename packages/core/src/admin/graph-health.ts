/** How a node or an edge of the graph is doing, and why, with Kiali's thresholds for answers of 500 and above. */

import type { GraphProcess } from "./graph.js";
import type { Traffic } from "./traffic-sums.js";

/** `idle`: nothing was called, and nothing is known to be wrong. */
export type GraphHealth = "healthy" | "degraded" | "failing" | "idle";

export interface Judgement {
  readonly health: GraphHealth;
  readonly reasons: readonly string[];
}

/** Of calls, from which on it is failing; any failure at all is degraded. */
const FAILING = 0.1;

export function judgeEdge(traffic: Traffic, reasons: readonly string[]): Judgement {
  const all = [...failed(traffic), ...reasons];
  return { health: healthOf(traffic, all), reasons: all };
}

export function judgeNode(traffic: Traffic, processes: readonly GraphProcess[]): Judgement {
  const silent = processes.filter(({ state }) => state === "silent");
  const reasons = [
    ...failed(traffic),
    ...(silent.length === 0
      ? []
      : [`${silent.length} of ${processes.length} processes ${silent.length === 1 ? "does" : "do"} not answer`]),
    ...processes.filter(({ state }) => state === "degraded").map(({ process }) => `${process} is degraded`),
  ];
  const dead = processes.length > 0 && silent.length === processes.length;
  return { health: dead ? "failing" : healthOf(traffic, reasons), reasons };
}

function healthOf({ calls, successRatio }: Traffic, reasons: readonly string[]): GraphHealth {
  if (successRatio !== null && 1 - successRatio >= FAILING) return "failing";
  if (reasons.length > 0) return "degraded";
  return calls === 0 ? "idle" : "healthy";
}

function failed({ failures, successes }: Traffic): string[] {
  if (failures === 0) return [];
  const share = (failures / (failures + successes)) * 100;
  return [`${share < 0.1 ? "less than 0.1" : share.toFixed(1)}% of calls fail`];
}
