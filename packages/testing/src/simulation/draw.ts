/** What one part of a simulation draws by chance. Each part has a stream of its own: a draw more here changes nothing there. */

import { type Random, seededRandom } from "@inmesh/core";

export class Draw {
  readonly random: Random;

  /** @param stream number of the part */
  constructor(seed: number, stream: number) {
    this.random = seededRandom(Math.imul(seed, 0x9e3779b1) + Math.imul(stream, 0x85ebca6b));
  }

  /** True for this share of the draws, 0–1. */
  chance(ratio: number): boolean {
    return this.random.next() < ratio;
  }

  /** Whole numbers, both ends included. */
  whole(from: number, to: number): number {
    return from + this.random.int(to - from + 1);
  }

  /** A duration in ms, in eighths: traces stay readable, and sums exact. */
  ms(from: number, to: number): number {
    return Math.round((from + this.random.next() * (to - from)) * 8) / 8;
  }

  oneOf<Item>(items: readonly Item[]): Item {
    return items[this.random.int(items.length)]!; // callers have at least one
  }

  /** Each with this chance. */
  some<Item>(items: readonly Item[], ratio: number): Item[] {
    return items.filter(() => this.chance(ratio));
  }

  /** Log-normal, as latencies are: half of them below `median`, now and then one of several times that. In ms. */
  skewed(median: number, spread: number): number {
    // Box and Muller, "A Note on the Generation of Random Normal Deviates", 1958.
    const normal = Math.sqrt(-2 * Math.log(1 - this.random.next())) * Math.cos(2 * Math.PI * this.random.next());
    return Math.round(median * Math.exp(spread * normal) * 8) / 8;
  }
}
