/** Parts of a `traceparent` of any version (W3C Trace Context §3.2), for who shows them. */

/** Where its parts begin, and what it is at least as long as. */
const TRACE_AT = 3;
const SPAN_AT = 36;
const FLAGS_AT = 53;
const LEAST = 55;

const DASH = 45;

/** By hand: an expression costs three times as much, for every line of a log. */
export function isTraceparent(line: string): boolean {
  if (line.length < LEAST) return false;
  if (line.charCodeAt(TRACE_AT - 1) !== DASH || line.charCodeAt(SPAN_AT - 1) !== DASH) return false;
  if (line.charCodeAt(FLAGS_AT - 1) !== DASH) return false;
  return (
    isHex(line, 0, TRACE_AT - 1) &&
    isHex(line, TRACE_AT, SPAN_AT - 1) &&
    isHex(line, SPAN_AT, FLAGS_AT - 1) &&
    isHex(line, FLAGS_AT, LEAST)
  );
}

/** Of lower case, as the standard has it. */
function isHex(line: string, from: number, to: number): boolean {
  for (let index = from; index < to; index++) {
    const char = line.charCodeAt(index);
    if (char < 48 || char > 102 || (char > 57 && char < 97)) return false;
  }
  return true;
}

/** @param line a valid one, or empty @returns empty for none */
export function traceIdOf(line: string): string {
  return line.slice(TRACE_AT, SPAN_AT - 1);
}

/** @param line a valid one, or empty @returns empty for none */
export function traceSpanOf(line: string): string {
  return line.slice(SPAN_AT, FLAGS_AT - 1);
}

/** @param line a valid one, or empty */
export function isSampled(line: string): boolean {
  return (Number.parseInt(line.slice(FLAGS_AT, LEAST), 16) & 1) === 1;
}
