/**
 * When this process's own event loop stood still: a long computation, a collection of garbage, a container out of its CPU
 * share. What was late meanwhile was late here, and no peer is judged by it (pitfalls L10).
 *
 * A shared tick notes how late it came. It runs only while somebody watches: 50 wake-ups a second, none in an idle process.
 */

import type { Clock, Timer } from "./clock.js";

/** In ms; also the shortest stall that is noticed, since a tick may come late by that much without meaning anything. */
const TICK_MS = 20;
/** When nothing was begun for this long, in ms, the tick stops, unless something is still under way. */
const UNWATCHED_MS = 2_000;
/** Stalls remembered; the oldest leave first. */
const MOST = 64;
/** Share of a short wait, absolute for one of 0.4 to 2 s, share of a long one: with more of it stood still, the wait says nothing. */
const SHORT_RATIO = 0.25;
const ENOUGH_MS = 100;
const LONG_RATIO = 0.05;

export class LoopStalls {
  readonly #clock: Clock;
  /** Rings of clock ms. */
  readonly #from = new Float64Array(MOST).fill(Number.NEGATIVE_INFINITY);
  readonly #to = new Float64Array(MOST).fill(Number.NEGATIVE_INFINITY);
  #next = 0;
  #tickedAt = 0;
  #watchedAt = 0;
  #timer: Timer | undefined;

  readonly #busy: () => boolean;
  #closed = false;

  /** @param busy whether anything that was begun is still under way; asked every two seconds of an idle process, then never */
  constructor(clock: Clock, busy: () => boolean) {
    this.#clock = clock;
    this.#busy = busy;
  }

  /** From here on stalls are noticed. Said at the start of whatever is judged later. */
  watch(now: number): void {
    this.#watchedAt = now;
    if (this.#timer !== undefined || this.#closed) return;
    this.#tickedAt = now;
    this.#timer = this.#clock.every(TICK_MS, () => this.#tick());
  }

  /**
   * Whether too much of the time from `since` to `now` was lost here to say who was slow. False where nobody watched.
   * Nothing of the sort can be said of an answer that came: what it says, it says.
   */
  spoilt(since: number, now: number): boolean {
    const elapsed = now - since;
    return (
      this.stalledMs(since, now) >= Math.max(Math.min(elapsed * SHORT_RATIO, ENOUGH_MS), elapsed * LONG_RATIO, TICK_MS)
    );
  }

  /** Ms between `since` and `now` in which the loop is known to have stood still, the one that is just ending included. */
  stalledMs(since: number, now: number): number {
    if (this.#timer === undefined) return 0;
    let sum = overlap(this.#tickedAt + TICK_MS, now, since, now); // timers run first after a stall, but not within the same turn
    if (sum < TICK_MS) sum = 0;
    for (let back = 1; back <= MOST; back++) {
      const index = (this.#next - back + MOST) % MOST;
      const to = this.#to[index]!; // within the ring
      if (to <= since) break;
      sum += overlap(this.#from[index]!, to, since, now);
    }
    return sum;
  }

  close(): void {
    this.#closed = true;
    this.#stop();
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #tick(): void {
    const now = this.#clock.now();
    const due = this.#tickedAt + TICK_MS;
    if (now - due >= TICK_MS) {
      this.#from[this.#next] = due;
      this.#to[this.#next] = now;
      this.#next = (this.#next + 1) % MOST;
    }
    this.#tickedAt = now;
    if (now - this.#watchedAt <= UNWATCHED_MS) return;
    if (this.#busy()) this.#watchedAt = now;
    else this.#stop();
  }
}

function overlap(from: number, to: number, since: number, until: number): number {
  return Math.max(0, Math.min(to, until) - Math.max(from, since));
}
