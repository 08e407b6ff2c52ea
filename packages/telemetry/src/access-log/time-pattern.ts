/** Envoy's patterns of time, `%Y-%m-%dT%H:%M:%S.%3fZ`: strftime's in UTC, and fractions of the second. */

import type { OutcomeRecord } from "@inmesh/core";

type Part = (at: Date, wallMs: number) => string;

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = [
  ...["January", "February", "March", "April", "May", "June", "July", "August"],
  ...["September", "October", "November", "December"],
];

const two = (number: number): string => String(number).padStart(2, "0");

const PARTS: Readonly<Record<string, Part>> = {
  Y: (at) => String(at.getUTCFullYear()),
  m: (at) => two(at.getUTCMonth() + 1),
  d: (at) => two(at.getUTCDate()),
  e: (at) => String(at.getUTCDate()).padStart(2),
  H: (at) => two(at.getUTCHours()),
  M: (at) => two(at.getUTCMinutes()),
  S: (at) => two(at.getUTCSeconds()),
  s: (_, wallMs) => String(Math.floor(wallMs / 1_000)),
  F: (at) => at.toISOString().slice(0, 10),
  T: (at) => at.toISOString().slice(11, 19),
  a: (at) => DAYS[at.getUTCDay()]!.slice(0, 3), // 0 to 6
  A: (at) => DAYS[at.getUTCDay()]!,
  b: (at) => MONTHS[at.getUTCMonth()]!.slice(0, 3), // 0 to 11
  B: (at) => MONTHS[at.getUTCMonth()]!,
  z: () => "+0000",
  Z: () => "UTC",
  f: (_, wallMs) => fraction(wallMs, 9),
};

/** What it does not know stays as it is written. */
export function compileTime(pattern: string): (record: OutcomeRecord) => string {
  const parts: (string | Part)[] = [];
  for (const piece of pattern.match(/%[1-9]f|%[a-zA-Z]|[^%]+|%/g) ?? []) {
    const digits = Number(piece[1]);
    if (/^%[1-9]f$/.test(piece)) parts.push((_, wallMs) => fraction(wallMs, digits));
    else parts.push((piece.startsWith("%") ? PARTS[piece.slice(1)] : undefined) ?? piece);
  }
  return ({ wallMs }) => {
    const at = new Date(wallMs);
    let text = "";
    for (const part of parts) text += typeof part === "string" ? part : part(at, wallMs);
    return text;
  };
}

/** Wall time has whole ms: what is finer is 0. */
function fraction(wallMs: number, digits: number): string {
  return String(Math.floor(wallMs) % 1_000)
    .padStart(3, "0")
    .padEnd(9, "0")
    .slice(0, digits);
}
