/** Durations of policy in ms. */

import { parseDurationMs } from "../kind/duration.js";

/** @returns `otherwise` when absent; validation has refused what is no duration */
export function durationMs(text: string | undefined, otherwise: number): number {
  return text === undefined ? otherwise : (parseDurationMs(text) ?? otherwise);
}
