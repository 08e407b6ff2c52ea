/**
 * The fields `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11; RFC 9651 for their form): what the
 * rules that concern the request allow, and what is left of it. No `pk`: it would say what others are told apart by.
 */

import type { RateLimitPolicy } from "@inmesh/model";

const SECOND_MS = 1_000;

/** @returns `"shop/web/by-source";q=100;w=60`: so many requests in so many seconds, of which the draft wants whole ones */
export function policyItem(name: string, { requests, perMs }: Pick<RateLimitPolicy, "requests" | "perMs">): string {
  const seconds = wholeSeconds(perMs);
  return `${name};q=${Math.floor((requests * seconds * SECOND_MS) / perMs)};w=${seconds}`;
}

/** @returns `"shop/web/by-source";r=42;t=3`: requests left at once, and seconds until that changes for the better */
export function limitItem(name: string, tokens: number, resetMs: number): string {
  return `${name};r=${Math.max(0, Math.floor(tokens))};t=${Math.ceil(resetMs / SECOND_MS)}`;
}

/** Both fields, flat; those of before, and of these rules behind them. @param before flat, as made by this or by rules of the process itself */
export function withLimitItems(
  before: readonly string[] | undefined,
  items: readonly (readonly [policy: string, limit: string])[],
): readonly string[] | undefined {
  if (items.length === 0) return before;
  const [, policies, , limits] = before ?? [];
  const joined = (first: string | undefined, rest: readonly string[]): string =>
    [...(first === undefined ? [] : [first]), ...rest].join(", ");
  return [
    ...[
      "RateLimit-Policy",
      joined(
        policies,
        items.map(([policy]) => policy),
      ),
    ],
    ...[
      "RateLimit",
      joined(
        limits,
        items.map(([, limit]) => limit),
      ),
    ],
  ];
}

/** As `Retry-After` has them, in whole seconds, never 0: that would say at once. */
export function wholeSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / SECOND_MS));
}

/** A string of RFC 9651: printable ASCII in quotes. */
export function quotedName(name: string): string {
  return `"${name.replaceAll(/[^\x20-\x7e]/g, "_").replaceAll(/["\\]/g, "\\$&")}"`;
}
