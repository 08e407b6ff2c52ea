/** What an inbound request's headers say to the mesh, and how they are kept from the application. */

import type { IncomingMessage } from "node:http";
import { TIMEOUT_HEADER } from "@inmesh/core/internal";

/** Passed on to every call made on behalf of the request, unless the caller sets its own. */
const FORWARDED = ["traceparent", "tracestate", "baggage", "x-request-id"] as const;
/** Headers between members of the mesh. From anybody they may only shorten the work, never claim an identity (pitfalls T7). */
const OURS = "x-inmesh-";
/** A day: longer deadlines say nothing. In ms. */
const LONGEST_MS = 86_400_000;
const NONE: readonly string[] = [];
/** Where the deadline of a request is kept for a second mesh, or a second copy of this package, that serves it too. */
const HIDDEN: unique symbol = Symbol.for("inmesh.inbound.timeout");

interface Hidden {
  [HIDDEN]?: unknown;
}

/** @returns flat `[name, value, …]`; the same empty list whenever there is nothing */
export function forwardedHeaders({ headers }: IncomingMessage): readonly string[] {
  let found: string[] | undefined;
  for (const name of FORWARDED) {
    const value = headers[name];
    if (typeof value !== "string") continue;
    found ??= [];
    found.push(name, value);
  }
  return found ?? NONE;
}

/** @returns ms the caller gives us; undefined without a deadline or with one that cannot be read */
export function remainingMs(request: IncomingMessage): number | undefined {
  const value = request.headers[TIMEOUT_HEADER] ?? (request as Hidden)[HIDDEN];
  if (typeof value !== "string" || !/^\d{1,12}$/.test(value)) return undefined; // repeated headers arrive joined: no number
  return Math.min(Number(value), LONGEST_MS);
}

/** Takes the mesh's own headers out of `headers`, `headersDistinct` and `rawHeaders`. */
export function hideMeshHeaders(request: IncomingMessage): void {
  const { rawHeaders } = request;
  for (let index = rawHeaders.length - 2; index >= 0; index -= 2) {
    const name = rawHeaders[index]!; // flat pairs
    if (!isOurs(name)) continue;
    const { headers, headersDistinct } = request; // both made before the list they are made from gets shorter
    const key = name.toLowerCase();
    if (key === TIMEOUT_HEADER) (request as Hidden)[HIDDEN] = headers[key];
    delete headers[key];
    delete headersDistinct[key];
    rawHeaders.splice(index, 2);
  }
}

function isOurs(name: string): boolean {
  if (name.length <= OURS.length || name[1] !== "-" || (name[0] !== "x" && name[0] !== "X")) return false;
  return name.slice(0, OURS.length).toLowerCase() === OURS;
}
