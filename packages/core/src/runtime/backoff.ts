/** How long to wait before trying again: exponential and jittered, so that those who failed together do not return together. */

import type { Random } from "./random.js";

export interface BackoffOptions {
  readonly baseMs: number;
  readonly maxMs: number;
}

/**
 * Ms before try number `failures + 1`, uniform between half the step and the step: never zero, never above `maxMs`.
 * @param failures so far, at least 1
 */
export function backoffMs({ baseMs, maxMs }: BackoffOptions, failures: number, random: Random): number {
  const stepMs = Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 30));
  return stepMs / 2 + (stepMs / 2) * random.next();
}
