/** What of a request makes its bucket, as text. */

import type { MatchRequest, RateLimitKey } from "@inmesh/model";
import { withoutQuery } from "../call/without-query.js";

/** In none of the parts: HTTP has no such byte in a method, a path or a header. */
const BETWEEN = "\n";
const MAPPED = "::ffff:";

/**
 * A request without the header shares a bucket with the others that have none: leaving it out must not be a way around.
 * @param source address of the peer's socket; headers that claim another one are never believed
 */
export function requestKey(keys: readonly RateLimitKey[], request: MatchRequest, source: string): string {
  let text = "";
  for (const key of keys) text += BETWEEN + partOf(key, request, source);
  return text;
}

/** For people and for what a rate limit service calls a descriptor's entry. */
export function partOf(key: RateLimitKey, request: MatchRequest, source: string): string {
  switch (key.kind) {
    case "sourceIp":
      // Of a socket that takes both families.
      return source.startsWith(MAPPED) ? source.slice(MAPPED.length) : source;
    case "header": {
      const value = request.header(key.name);
      return value === undefined ? "" : typeof value === "string" ? value : value.join(",");
    }
    case "method":
      return request.method;
    case "path":
      return withoutQuery(request.path);
  }
}

export function keyText(key: RateLimitKey): string {
  return key.kind === "header" ? `header ${key.name}` : key.kind === "sourceIp" ? "source address" : key.kind;
}
