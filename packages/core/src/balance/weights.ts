/** Draws an index with probability proportional to weight: O(log n), O(1) when all weights are equal. */

import type { EndpointState } from "../cluster/endpoint-state.js";
import type { Random } from "../runtime/random.js";

export class WeightedDraw {
  readonly #random: Random;
  #size = 0;
  /** Running sums of the weights; undefined when they are all equal. */
  #sums: Float64Array | undefined;

  constructor(random: Random) {
    this.#random = random;
  }

  update(states: readonly EndpointState[]): void {
    this.#size = states.length;
    const first = states[0]?.endpoint.weight;
    if (states.every(({ endpoint }) => endpoint.weight === first)) {
      this.#sums = undefined;
      return;
    }
    let sum = 0;
    this.#sums = Float64Array.from(states, ({ endpoint }) => {
      sum += endpoint.weight;
      return sum;
    });
  }

  /** @returns an index below the number of endpoints given to `update`, which must not be zero */
  next(): number {
    const sums = this.#sums;
    if (sums === undefined) return this.#random.int(this.#size);
    const point = this.#random.next() * sums[this.#size - 1]!; // not empty
    let low = 0;
    let high = this.#size - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sums[middle]! > point)
        high = middle; // in range
      else low = middle + 1;
    }
    return low;
  }

  /** A second draw, never `first` while weights are equal. At least two endpoints. */
  other(first: number): number {
    if (this.#sums !== undefined) return this.next();
    const drawn = this.#random.int(this.#size - 1);
    return drawn < first ? drawn : drawn + 1; // stepping over `first` keeps the draw uniform
  }
}
