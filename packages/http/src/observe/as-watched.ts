/** A request that goes its own way, as the rehearsal of policy reads it. */

import type { Origin, WatchedRequest } from "@inmesh/core/internal";

/** @param authority of the Host header; undefined: the origin's */
export function asWatched(
  origin: Origin,
  method: string,
  path: string,
  authority: string | undefined,
  headers: readonly string[],
): WatchedRequest {
  const { scheme, host, port, loopback } = origin;
  return { method, scheme, host, port, authority: authority ?? origin.authority, path, loopback, headers };
}
