/**
 * How long whatever is ready to run waits for the event loop now. A tick every 20 ms notes how late it came; it runs only
 * between `start` and `stop`, and does not keep the process alive.
 *
 * Of two neighbouring ticks the better one counts: a single pause (garbage, one long computation) is over when it is noticed,
 * and turning away what had piled up in it would help nobody. A loop with too much to do is late every time.
 */

import type { Clock, Timer } from "./clock.js";

/** In ms. */
const TICK_MS = 20;

export class LoopDelay {
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #dueAt = 0;
  /** Of the last two ticks, in ms. */
  #last = 0;
  #before = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get running(): boolean {
    return this.#timer !== undefined;
  }

  start(): void {
    if (this.#timer !== undefined) return;
    this.#dueAt = this.#clock.now() + TICK_MS;
    this.#timer = this.#clock.every(TICK_MS, () => {
      const now = this.#clock.now();
      this.#before = this.#last;
      this.#last = Math.max(0, now - this.#dueAt);
      this.#dueAt = now + TICK_MS;
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#last = 0;
    this.#before = 0;
  }

  /** In ms; 0 while it does not run. */
  read(now: number): number {
    if (this.#timer === undefined) return 0;
    // The next tick is late already when this turn of the loop goes on for so long.
    return Math.max(Math.min(this.#before, this.#last), Math.min(this.#last, now - this.#dueAt), 0);
  }
}
