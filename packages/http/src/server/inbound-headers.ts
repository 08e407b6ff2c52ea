/**
 * What an inbound request's headers say to the mesh, and how they are kept from the application. One pass over the raw
 * lines: nearly every request holds nothing of ours, and finding that out must cost next to nothing.
 */

import { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { TIMEOUT_HEADER } from "@inmesh/core/internal";

export interface InboundHeaders {
  /** Passed on to every call made on behalf of the request, flat `[name, value, …]`; the same empty list when there is none. */
  readonly forward: readonly string[];
  /** Ms the caller gives us; Infinity without a deadline or with one that cannot be read. */
  readonly remainingMs: number;
}

/** Passed on unless the caller of the mesh sets its own. */
const FORWARDED: ReadonlySet<string> = new Set(["traceparent", "tracestate", "baggage", "x-request-id"]);
const FORWARDED_LENGTHS: ReadonlySet<number> = new Set([...FORWARDED].map(({ length }) => length));
/** Headers between members of the mesh. From anybody they may only shorten the work, never claim an identity (pitfalls T7). */
const OURS = "x-inmesh-";
const X = 120;
/** A day: longer deadlines say nothing. In ms. */
const LONGEST_MS = 86_400_000;
const NONE: readonly string[] = [];
/** Where the deadline of a request is kept for a second mesh, or a second copy of this package, that serves it too. */
const HIDDEN: unique symbol = Symbol.for("inmesh.inbound.timeout");

interface Hidden {
  [HIDDEN]?: unknown;
}

/**
 * Where Node keeps how many entries of `rawHeaders` it was given: it makes `headersDistinct` from that many when it is
 * asked for. Undefined where a later Node has none; then it is made before the list gets shorter.
 */
const COUNT = Object.getOwnPropertySymbols(new IncomingMessage(undefined as unknown as Socket)).find(
  ({ description }) => description === "kHeadersCount",
);

/** Reads the mesh's headers of a request and takes them out of `headers`, `headersDistinct` and `rawHeaders`. */
export function takeHeaders(request: IncomingMessage): InboundHeaders {
  const { rawHeaders } = request;
  let forward: string[] | undefined;
  let ours = false;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!; // flat pairs
    if (FORWARDED_LENGTHS.has(name.length)) {
      const key = name.toLowerCase();
      const value = FORWARDED.has(key) ? request.headers[key] : undefined; // repeated lines are joined there
      if (typeof value === "string" && forward?.includes(key) !== true) {
        forward ??= [];
        forward.push(key, value);
        continue;
      }
    }
    if (isOurs(name)) ours = true;
  }
  if (ours) hide(request);
  return { forward: forward ?? NONE, remainingMs: parseMs((request as Hidden)[HIDDEN]) };
}

function isOurs(name: string): boolean {
  if (name.length <= OURS.length || (name.charCodeAt(0) | 32) !== X) return false;
  return name.slice(0, OURS.length).toLowerCase() === OURS;
}

function hide(request: IncomingMessage): void {
  const { headers, rawHeaders } = request;
  const distinct = COUNT === undefined ? request.headersDistinct : undefined;
  for (let index = rawHeaders.length - 2; index >= 0; index -= 2) {
    const name = rawHeaders[index]!; // flat pairs
    if (!isOurs(name)) continue;
    const key = name.toLowerCase();
    if (key === TIMEOUT_HEADER) (request as Hidden)[HIDDEN] ??= headers[key]; // repeated lines are joined there
    delete headers[key];
    if (distinct !== undefined) delete distinct[key];
    rawHeaders.splice(index, 2);
  }
  if (COUNT !== undefined) (request as unknown as Record<symbol, number>)[COUNT] = rawHeaders.length;
}

function parseMs(value: unknown): number {
  if (typeof value !== "string" || !/^\d{1,12}$/.test(value)) return Number.POSITIVE_INFINITY; // repeated ones are joined: no number
  return Math.min(Number(value), LONGEST_MS);
}
