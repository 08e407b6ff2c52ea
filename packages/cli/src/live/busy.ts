/** Whether slowness is here or there: how busy the event loops of a service were, and those of its callers. */

import type { StatsView } from "@inmesh/core/admin";

/** From so much on an event loop is a reason for latency, 0–1. */
export const BUSY_RATIO = 0.9;

/** Share of the time between two readings in which the event loop worked, 0–1; null where the process does not say. */
export function busyRatio({ loop: before }: StatsView, { loop: after }: StatsView): number | null {
  if (before === undefined || after === undefined) return null;
  const [active, idle] = [after.activeMs - before.activeMs, after.idleMs - before.idleMs];
  return active >= 0 && idle >= 0 && active + idle > 0 ? active / (active + idle) : null;
}

export function busier(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.max(one, other);
}

/** A sentence where a service is slow because of somebody's event loop; undefined where nobody's says so. */
export function busyText(name: string, own: number | null, callers: number | null): string | undefined {
  const percent = (ratio: number): string => `${Math.round(ratio * 100)}%`;
  if (own !== null && own >= BUSY_RATIO) {
    return `${name} is slow there: the event loop of a process of it was busy ${percent(own)} of the time. See: inmesh top ${name}`;
  }
  if (callers === null || callers < BUSY_RATIO) return undefined;
  return `${name} looks slow from here: the event loop of a process that calls it was busy ${percent(callers)} of the time`;
}
