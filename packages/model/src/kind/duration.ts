/** Durations as Istio writes them: Go's syntax, `1.5s`, `100ms`, `1h30m`. */

const NANOSECONDS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

const PART = /(\d+)?(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/y;

/** What Go holds in its 64 bits: about 292 years. */
const MAX_NANOSECONDS = 2n ** 63n - 1n;

/** In ms, fractions included; undefined when `text` is no duration. */
export function parseDurationMs(text: string): number | undefined {
  const nanoseconds = parseNanoseconds(text);
  return nanoseconds === undefined ? undefined : Number(nanoseconds) / 1e6;
}

/** What is wrong with a duration, or undefined. @param atLeastMs smallest value allowed; 0 allows no negative ones */
export function durationFault(text: string, atLeastMs: number): string | undefined {
  const nanoseconds = parseNanoseconds(text);
  if (nanoseconds === undefined)
    return 'expected a duration such as "5s", "100ms" or "1h". Write a number with its unit.';
  if (nanoseconds < BigInt(atLeastMs) * 1_000_000n) {
    return atLeastMs === 0
      ? "expected a duration that is not negative. Correct it."
      : `expected at least ${atLeastMs}ms. Raise it, or remove the field.`;
  }
  return nanoseconds % 1_000_000n === 0n ? undefined : "expected whole milliseconds. Round it.";
}

function parseNanoseconds(text: string): bigint | undefined {
  if (text.length > 64) return undefined;
  const negative = text.startsWith("-");
  const body = /^[-+]/.test(text) ? text.slice(1) : text;
  if (body === "0") return 0n;
  let total = 0n;
  let end = 0;
  while (end < body.length) {
    PART.lastIndex = end;
    const part = PART.exec(body);
    if (part === null) return undefined;
    const [whole, integer = "", fraction = "", unit = ""] = part;
    if (integer === "" && fraction === "") return undefined;
    const scale = NANOSECONDS[unit]!; // the expression allows no other
    total += BigInt(integer || "0") * scale + (BigInt(fraction || "0") * scale) / 10n ** BigInt(fraction.length);
    end += whole.length;
  }
  if (end === 0 || total > MAX_NANOSECONDS) return undefined;
  return negative ? -total : total;
}
