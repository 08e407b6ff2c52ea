/**
 * How often one watch may ask, whatever it is answered: below two questions a second over any ten seconds, however fast
 * answers come. After a change the next question goes out at once, since more changes often follow.
 */

import type { Clock } from "@inmesh/core";

/** Questions that may follow at once, and how many more a second. 8 + 10 × 1 stays below 20 in ten seconds. */
const MOST = 8;
const PER_SECOND = 1;
/** An answer that says nothing new and comes at once is what a broken server gives, or one whose index means all of its services. */
const COST_OF_NOTHING_NEW = 2;

export class Pace {
  readonly #clock: Pick<Clock, "now">;
  #left = MOST;
  #at: number;

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
    this.#at = clock.now();
  }

  /** Takes the right to one more question. @returns ms to wait before it */
  next(changed: boolean): number {
    const now = this.#clock.now();
    this.#left = Math.min(MOST, this.#left + ((now - this.#at) * PER_SECOND) / 1_000);
    this.#at = now;
    this.#left -= changed ? 1 : COST_OF_NOTHING_NEW;
    return this.#left >= 0 ? 0 : (-this.#left / PER_SECOND) * 1_000;
  }
}
