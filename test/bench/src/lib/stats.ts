/** Order statistics of a few hundred numbers. */

export interface Spread {
  readonly low: number;
  readonly median: number;
  readonly high: number;
}

/** Median with its quartiles: what every row of the tables shows. */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  return { low: quantile(sorted, 0.25), median: quantile(sorted, 0.5), high: quantile(sorted, 0.75) };
}

/** @param sorted ascending, not empty @param q 0–1, linear between neighbours */
export function quantile(sorted: readonly number[], q: number): number {
  const at = (sorted.length - 1) * q;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}
