/**
 * Latencies in a fixed number of cells whose width grows with the value: within 5 % of the truth from 10 us to 100 s
 * in 1 KB, no allocation per sample. (The logarithmic layout of DDSketch, Masson et al., VLDB 2019, without its growth.)
 */

/** Cells per doubling. */
const PER_DOUBLING = 8;
/** Lower bound of the first cell, in ms. */
const SMALLEST_MS = 0.01;
const CELLS = 8 * 24;

export class Histogram {
  readonly #cells = new Uint32Array(CELLS);
  #count = 0;
  #sum = 0;

  get count(): number {
    return this.#count;
  }

  /** Sum of all samples, in ms. */
  get sum(): number {
    return this.#sum;
  }

  record(ms: number): void {
    const cell = ms <= SMALLEST_MS ? 0 : Math.min(CELLS - 1, (Math.log2(ms / SMALLEST_MS) * PER_DOUBLING) | 0);
    this.#cells[cell]! += 1; // clamped into range
    this.#count += 1;
    this.#sum += ms;
  }

  reset(): void {
    this.#cells.fill(0);
    this.#count = 0;
    this.#sum = 0;
  }

  /** @param q 0–1 @returns ms, the middle of the cell that holds the quantile; 0 when there are no samples */
  quantile(q: number): number {
    return quantileOfCells(this.#cells, q);
  }

  /** Raw cells, for a reader that subtracts two readings to get an interval. */
  cells(): readonly number[] {
    return [...this.#cells];
  }
}

/** As `Histogram.quantile`, for the difference of two readings of its cells. */
export function quantileOfCells(cells: ArrayLike<number>, q: number): number {
  let count = 0;
  for (let cell = 0; cell < cells.length; cell++) count += cells[cell]!; // in range
  if (count === 0) return 0;
  const rank = Math.max(1, Math.ceil(q * count));
  let seen = 0;
  for (let cell = 0; cell < cells.length; cell++) {
    seen += cells[cell]!; // in range
    if (seen >= rank) return SMALLEST_MS * 2 ** ((cell + 0.5) / PER_DOUBLING);
  }
  return SMALLEST_MS * 2 ** (CELLS / PER_DOUBLING);
}
