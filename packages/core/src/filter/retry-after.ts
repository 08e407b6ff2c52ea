/** When a server wants to be asked again: Retry-After of an answer (RFC 9110 §10.2.3), and what gRPC has for it (gRFC A6). */

/** Whole ms; negative, or no number: not at all. */
export const PUSHBACK_HEADER = "grpc-retry-pushback-ms";

/** Nobody is waited for longer, whatever it says (pitfalls R18). In ms. */
export const LONGEST_RETRY_AFTER_MS = 30_000;

/** HTTP's own date form begins with a weekday; anything else that Date.parse understands is no Retry-After. */
const DATE = /^[A-Z][a-z]+,? /;

/**
 * @param value as it came, perhaps none
 * @param wallTime ms since 1970, which dates are compared with
 * @returns ms from now; 0 for none, and for what is negative, past or not to be read
 */
export function retryAfterMs(value: string | undefined, wallTime: number): number {
  if (value === undefined) return 0;
  const text = value.trim();
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : DATE.test(text) ? Date.parse(text) - wallTime : 0;
  return ms > 0 ? Math.min(ms, LONGEST_RETRY_AFTER_MS) : 0; // false for NaN
}

/**
 * @param value as it came, perhaps none
 * @returns ms from now; 0 where it says nothing, -1 where it wants no further attempt
 */
export function grpcPushbackMs(value: string | undefined): number {
  if (value === undefined) return 0;
  return /^\d+$/.test(value) ? Math.min(Number(value), LONGEST_RETRY_AFTER_MS) : -1;
}
