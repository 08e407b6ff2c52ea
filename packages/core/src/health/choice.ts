/** Which endpoints calls may go to at the moment. */

import type { OutlierPolicy } from "@inmesh/model";
import type { EndpointState } from "../cluster/endpoint-state.js";

export interface Choice {
  /** Those to pick from. Empty only where policy would rather fail (minHealthPercent 0, all ejected), or there are none. */
  readonly usable: readonly EndpointState[];
  /** The same whatever the share of those that are healthy: for ranks, whose panics are their own. */
  readonly calm: readonly EndpointState[];
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

/** @param minHealthRatio see `panicRatio` */
export function chooseAmong(states: readonly EndpointState[], now: number, minHealthRatio: number): Choice {
  const healthy = subset(states, (state) => state.healthy(now));
  const panic = healthy.length / states.length < minHealthRatio;
  const permitted = panic ? states : healthy;
  const calm = preferred(healthy, now);
  return { usable: panic ? preferred(states, now) : calm, calm, permitted, panic };
}

/** Those that did not refuse a moment ago; all when all did: they may be back, and an error is certain otherwise (pitfalls L1). */
function preferred(states: readonly EndpointState[], now: number): readonly EndpointState[] {
  const accepting = subset(states, ({ ejectedUntil }) => ejectedUntil <= now);
  return accepting.length > 0 ? accepting : states;
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
