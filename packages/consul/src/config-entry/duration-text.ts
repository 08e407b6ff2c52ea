/** Durations as policy has them: whole milliseconds, and never none. */

export function durationText(ms: number): string {
  const whole = Math.max(1, Math.round(ms));
  return whole % 1_000 === 0 ? `${whole / 1_000}s` : `${whole}ms`;
}
