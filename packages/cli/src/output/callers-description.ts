/** How full a caller's limits are, and how its circuit breakers stand, as a person would tell of it. */

import type { LimitsView, LimitView } from "@inmesh/core/admin";
import type { DescribedCaller } from "../describe/described-callers.js";

export function callerLines(callers: readonly DescribedCaller[]): string[] {
  return callers.flatMap(({ name, port, subset, limits, breakers }) => {
    const place = `${name} to port ${port}${subset === "" ? "" : ` ${subset}`}`;
    const lines = limits === null ? [] : limitTexts(limits);
    return [
      ...(lines.length === 0 ? [] : [`${place}: ${lines.join("; ")}`]),
      ...breakers.map(({ text, resource, refused }) =>
        [`${place}: ${resource} ${text}`, ...(refused === 0 ? [] : [`${refused} refused so far`])].join("; "),
      ),
    ];
  });
}

/** Only what is limited. */
function limitTexts({ requests, pending, connections, retries }: LimitsView): string[] {
  const named: readonly (readonly [string, LimitView])[] = [
    ["requests", requests],
    ["waiting", pending],
    ["connections", connections],
    ["retries", retries],
  ];
  return named
    .filter(([, { most }]) => most > 0)
    .map(([what, { inUse, most, overflows }]) => {
      return `${what} ${inUse} of ${most}${overflows === 0 ? "" : `, ${overflows} too many so far`}`;
    });
}
