/**
 * How many of each kind came in the last while: buckets of a typed array, thrown away by the clock's reading when somebody
 * looks or counts, so that no timer turns them. The oldest bucket leaves whole: what is counted is up to a bucket less than
 * the window. Counting is the hot part (4 ns); sums are made by whoever asks.
 */

const BUCKETS = 10;

export class RollingCount {
  readonly #kinds: number;
  readonly #bucketMs: number;
  /** Bucket after bucket, each with one cell per kind. */
  readonly #cells: Int32Array;
  /** Number of the current bucket since the clock's zero, its first cell, and clock ms at which it ends. */
  #turn: number;
  #first: number;
  #endsAt: number;

  /** @param windowMs at least as many ms as there are buckets */
  constructor(kinds: number, windowMs: number, now: number) {
    this.#kinds = kinds;
    this.#bucketMs = windowMs / BUCKETS;
    this.#cells = new Int32Array(kinds * BUCKETS);
    this.#turn = Math.floor(now / this.#bucketMs);
    this.#first = (this.#turn % BUCKETS) * kinds;
    this.#endsAt = (this.#turn + 1) * this.#bucketMs;
  }

  add(kind: number, now: number): void {
    if (now >= this.#endsAt) this.#turnTo(now); // a reading from before counts for the newest bucket
    this.#cells[this.#first + kind]! += 1; // in range
  }

  sum(kind: number, now: number): number {
    if (now >= this.#endsAt) this.#turnTo(now);
    let sum = 0;
    for (let cell = kind; cell < this.#cells.length; cell += this.#kinds) sum += this.#cells[cell]!; // in range
    return sum;
  }

  clear(): void {
    this.#cells.fill(0);
  }

  #turnTo(now: number): void {
    const turn = Math.floor(now / this.#bucketMs);
    if (turn - this.#turn >= BUCKETS) this.clear();
    else {
      for (let each = this.#turn + 1; each <= turn; each++) {
        const first = (each % BUCKETS) * this.#kinds;
        this.#cells.fill(0, first, first + this.#kinds);
      }
    }
    this.#turn = turn;
    this.#first = (turn % BUCKETS) * this.#kinds;
    this.#endsAt = (turn + 1) * this.#bucketMs;
  }
}
