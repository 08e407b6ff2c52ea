/** @param ratio 0–1 @returns percent, to four decimals: as exactly as policy can say it */
export function percentOf(ratio: number): number {
  return Math.round(ratio * 1e6) / 1e4;
}
