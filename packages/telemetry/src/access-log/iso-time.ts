/** Unix ms as `2026-11-20T21:04:11.482Z`. Most lines fall into the second of the one before. */

let second = -1;
let prefix = "";

export function isoTime(wallMs: number): string {
  const now = Math.floor(wallMs / 1_000);
  if (now !== second) {
    second = now;
    prefix = new Date(now * 1_000).toISOString().slice(0, 20);
  }
  const ms = Math.floor(wallMs) - now * 1_000;
  return `${prefix}${ms < 10 ? "00" : ms < 100 ? "0" : ""}${ms}Z`;
}
