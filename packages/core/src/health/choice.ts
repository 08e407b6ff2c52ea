/** Which endpoints calls may go to at the moment. */

import type { OutlierPolicy } from "@inmesh/model";
import type { EndpointState } from "../cluster/endpoint-state.js";

export interface Choice {
  /** Those to pick from. Empty only where policy would rather fail (minHealthPercent 0, all ejected), or there are none. */
  readonly usable: readonly EndpointState[];
  /** These and those that refused connections, which are picked when there is nobody else. */
  readonly permitted: readonly EndpointState[];
  /** So few are healthy that policy has all of them used. */
  readonly panic: boolean;
}

/** With a smaller share of healthy endpoints all are used, 0–1: Envoy's own default, where no outlierDetection says another. */
const PANIC_RATIO = 0.5;

export function panicRatio(outlier: OutlierPolicy | undefined): number {
  return outlier?.minHealthRatio ?? PANIC_RATIO;
}

/**
 * @param states of one cluster; where localities or labels make ranks, of one rank
 * @param minHealthRatio see `panicRatio`
 */
export function chooseAmong(states: readonly EndpointState[], now: number, minHealthRatio: number): Choice {
  const healthy = subset(states, (state) => state.healthy(now));
  const panic = healthy.length / states.length < minHealthRatio;
  const permitted = panic ? states : healthy;
  // Ours alone never empty it: whoever refused a moment ago may be back, and an error is certain otherwise (pitfalls L1).
  const accepting = subset(permitted, ({ ejectedUntil }) => ejectedUntil <= now);
  return { usable: accepting.length > 0 ? accepting : permitted, permitted, panic };
}

/** Clock ms at which time alone changes the choice; Infinity for never. */
export function nextChange(states: readonly EndpointState[], now: number): number {
  let at = Number.POSITIVE_INFINITY;
  for (const { ejectedUntil, outlierUntil } of states) {
    if (ejectedUntil > now && ejectedUntil < at) at = ejectedUntil;
    if (outlierUntil > now && outlierUntil < at) at = outlierUntil;
  }
  return at;
}

/** The list itself where all belong to it, as they nearly always do. */
function subset(
  states: readonly EndpointState[],
  belongs: (state: EndpointState) => boolean,
): readonly EndpointState[] {
  return states.every(belongs) ? states : states.filter(belongs);
}
