/** What the checks of an instance say together. */

import { record } from "./read.js";

/** As Consul orders them, the worst first. */
export type CheckStatus = "critical" | "warning" | "passing";

/** What the check of an instance says whose process is about to deregister it. */
export const LEAVING = "leaving: the process takes itself out";

/** Its process said so: that it is gone soon is no loss of memory. */
export function isLeaving(checks: unknown): boolean {
  return Array.isArray(checks) && checks.some((check) => record(check)["Output"] === LEAVING);
}

/** The worst status counts, also of the checks of its node. Maintenance is critical; without a check it passes. */
export function statusOf(checks: unknown): CheckStatus {
  let worst: CheckStatus = "passing";
  for (const check of Array.isArray(checks) ? checks : []) {
    const { Status: status } = record(check);
    if (status === "warning") worst = "warning";
    else if (status !== "passing") return "critical";
  }
  return worst;
}

/** Share of calls of an instance in that status; 0 when it must not be called. */
export function weightOf(weights: unknown, status: CheckStatus): number {
  if (status === "critical") return 0;
  const { Passing: passing, Warning: warning } = record(weights);
  const weight = status === "passing" ? passing : warning;
  return typeof weight === "number" && weight >= 0 && weight <= 65_535 ? weight : 1;
}
