/** Whether a row of figures grows: a straight line through it, and how sure its slope is. */

export interface Point {
  /** In minutes. */
  readonly at: number;
  readonly value: number;
}

export interface Slope {
  /** Per minute. */
  readonly perMinute: number;
  /** Standard error of it. */
  readonly error: number;
  /** Minutes between the first and the last point. */
  readonly minutes: number;
  readonly median: number;
}

/** Least squares. @param points at least three */
export function slopeOf(points: readonly Point[]): Slope {
  const count = points.length;
  if (count < 3) throw new Error(`three samples make a slope, there are ${count}: run it longer`);
  const meanAt = mean(points.map(({ at }) => at));
  const meanValue = mean(points.map(({ value }) => value));
  let spread = 0;
  let product = 0;
  for (const { at, value } of points) {
    spread += (at - meanAt) ** 2;
    product += (at - meanAt) * (value - meanValue);
  }
  const perMinute = product / spread;
  let residue = 0;
  for (const { at, value } of points) residue += (value - meanValue - perMinute * (at - meanAt)) ** 2;
  const values = points.map(({ value }) => value).sort((a, b) => a - b);
  return {
    perMinute,
    error: Math.sqrt(residue / (count - 2) / spread),
    minutes: points.at(-1)!.at - points[0]!.at, // three at least
    median: values[count >> 1]!, // in range
  };
}

/** Growth over the whole window that is taken for noise: code that is compiled, caches that fill. Share of the median heap. */
const NOISE_RATIO = 0.03;

/**
 * A heap leaks when it is sure that it grows (the lower bound of the slope, two standard errors below it, is above zero)
 * and the growth over the window, at that lower bound, is more than `NOISE_RATIO` of the heap. The longer the run, the
 * slower the leak it finds.
 */
export function leaks({ perMinute, error, minutes, median }: Slope): boolean {
  return (perMinute - 2 * error) * minutes > NOISE_RATIO * median;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
