/**
 * How many of each kind came in the last while: buckets of a typed array, thrown away by the clock's reading when somebody
 * looks or counts, so that no timer turns them. The oldest bucket leaves whole: what is counted is up to a bucket less than
 * the window.
 */

const BUCKETS = 10;

export class RollingCount {
  readonly #kinds: number;
  readonly #bucketMs: number;
  /** Bucket after bucket, each with one cell per kind. */
  readonly #cells: Int32Array;
  readonly #sums: Int32Array;
  /** Number of the current bucket since the clock's zero. */
  #turn: number;

  /** @param windowMs at least as many ms as there are buckets */
  constructor(kinds: number, windowMs: number, now: number) {
    this.#kinds = kinds;
    this.#bucketMs = windowMs / BUCKETS;
    this.#cells = new Int32Array(kinds * BUCKETS);
    this.#sums = new Int32Array(kinds);
    this.#turn = Math.floor(now / this.#bucketMs);
  }

  add(kind: number, now: number): void {
    const cell = this.#turnTo(now) * this.#kinds + kind;
    this.#cells[cell]! += 1; // in range
    this.#sums[kind]! += 1;
  }

  sum(kind: number, now: number): number {
    this.#turnTo(now);
    return this.#sums[kind]!;
  }

  clear(): void {
    this.#cells.fill(0);
    this.#sums.fill(0);
  }

  /** @returns index of the bucket of `now` */
  #turnTo(now: number): number {
    const turn = Math.floor(now / this.#bucketMs);
    if (turn !== this.#turn) this.#drop(turn);
    return this.#turn % BUCKETS;
  }

  #drop(turn: number): void {
    if (turn < this.#turn) return; // a reading from before: it counts for the newest bucket
    if (turn - this.#turn >= BUCKETS) this.clear();
    else {
      for (let each = this.#turn + 1; each <= turn; each++) {
        const from = (each % BUCKETS) * this.#kinds;
        for (let kind = 0; kind < this.#kinds; kind++) {
          this.#sums[kind]! -= this.#cells[from + kind]!;
          this.#cells[from + kind] = 0;
        }
      }
    }
    this.#turn = turn;
  }
}
