/** For errors of callbacks that were promised not to throw. */

import type { Clock } from "./clock.js";

/**
 * Throws `error` from a timer of its own: it surfaces as an uncaught exception, as it should, and the bookkeeping in
 * whose middle it was caught goes on.
 */
export function throwLater(clock: Clock, error: unknown): void {
  clock.after(0, () => {
    throw error;
  });
}
