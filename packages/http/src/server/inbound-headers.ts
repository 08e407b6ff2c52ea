/**
 * What an inbound request's headers say to the mesh, and how they are kept from the application. One pass over the raw
 * lines: nearly every request holds nothing of ours, and finding that out must cost next to nothing.
 */

import { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { MIRRORED_HEADER, SPENT_HEADER, TIMEOUT_HEADER } from "@inmesh/core/internal";
import type { RequestHead } from "./request-head.js";

export interface InboundHeaders {
  /** Passed on to every call made on behalf of the request, flat `[name, value, …]`; the same empty list when there is none. */
  readonly forward: readonly string[];
  /** Ms the caller gives us; Infinity without a deadline or with one that cannot be read. */
  readonly remainingMs: number;
  /** Attempts that callers above have spent on it; 0 for what cannot be read. */
  readonly spentAbove: number;
  /** It says who called somebody in front of us. */
  readonly clientCert: boolean;
}

/** Headers between members of the mesh. From anybody they may only shorten the work, never claim an identity (pitfalls T7). */
const OURS = "x-inmesh-";
const LETTER_X = 120;
/** A day: longer deadlines say nothing. In ms. */
const LONGEST_MS = 86_400_000;
const LONGEST_DIGITS = 12;
export const CLIENT_CERT_HEADER = "x-forwarded-client-cert";
const NONE: readonly string[] = [];

/**
 * Where Node keeps how many entries of `rawHeaders` it was given: it makes `headersDistinct` from that many when it is
 * asked for. Undefined where a later Node has none; then it is made before the list gets shorter.
 */
const COUNT = Object.getOwnPropertySymbols(new IncomingMessage(undefined as unknown as Socket)).find(
  ({ description }) => description === "kHeadersCount",
);

/**
 * Reads the mesh's headers of a request and takes them out of `headers`, `headersDistinct` and `rawHeaders`.
 * @param leaves them where they are
 */
export function takeHeaders(request: RequestHead, leaves = false): InboundHeaders {
  const { rawHeaders } = request;
  let forward: string[] | undefined;
  let remainingMs = Number.POSITIVE_INFINITY;
  let spentAbove = 0;
  let ours = false;
  let clientCert = false;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!; // flat pairs
    const key = isForwarded(name);
    if (key !== undefined) {
      const value = request.headers[key]; // repeated lines are joined there
      if (typeof value !== "string" || forward?.includes(key) === true) continue;
      forward ??= [];
      forward.push(key, value);
    } else if (isOurs(name)) ours = true;
    else if (name.length === CLIENT_CERT_HEADER.length && same(name, CLIENT_CERT_HEADER)) clientCert = true;
  }
  if (ours) {
    const ms = parseDigits(request.headers[TIMEOUT_HEADER]);
    if (ms !== undefined) remainingMs = Math.min(ms, LONGEST_MS);
    spentAbove = parseDigits(request.headers[SPENT_HEADER]) ?? 0;
    // Part of the way of a copy: so are the calls made for it.
    if (request.headers[MIRRORED_HEADER] !== undefined) forward = [...(forward ?? NONE), MIRRORED_HEADER, "1"];
    if (!leaves) hideHeaders(request, isOurs);
  }
  return { forward: forward ?? NONE, remainingMs, spentAbove, clientCert };
}

/** @returns its lower-case name when it is passed on to every call, unless the caller of the mesh sets its own */
function isForwarded(name: string): string | undefined {
  switch (name.length) {
    case "baggage".length:
      return same(name, "baggage");
    case "tracestate".length:
      return same(name, "tracestate");
    case "traceparent".length:
      return same(name, "traceparent");
    case "x-request-id".length:
      return same(name, "x-request-id");
    default:
      return undefined;
  }
}

function same(name: string, key: string): string | undefined {
  return name === key || name.toLowerCase() === key ? key : undefined;
}

function isOurs(name: string): boolean {
  if (name.length <= OURS.length || (name.charCodeAt(0) | 32) !== LETTER_X) return false;
  return name.startsWith(OURS) || name.slice(0, OURS.length).toLowerCase() === OURS;
}

/** Takes lines out of a head as if they had not come. */
export function hideHeaders(message: RequestHead, isHidden: (name: string) => boolean): void {
  const { headers, rawHeaders } = message;
  const distinct = COUNT === undefined ? message.headersDistinct : undefined;
  for (let index = rawHeaders.length - 2; index >= 0; index -= 2) {
    const name = rawHeaders[index]!; // flat pairs
    if (!isHidden(name)) continue;
    const key = name.toLowerCase();
    delete headers[key];
    if (distinct !== undefined) delete distinct[key];
    if (index === rawHeaders.length - 2) rawHeaders.length = index;
    else rawHeaders.splice(index, 2);
  }
  if (COUNT !== undefined && COUNT in message)
    (message as unknown as Record<symbol, number>)[COUNT] = rawHeaders.length;
}

/** Adds a line to a head as if it had come. @param name lower-case, and not there */
export function showHeader(message: RequestHead, name: string, value: string): void {
  const { headers, rawHeaders } = message;
  const distinct = COUNT === undefined ? message.headersDistinct : undefined;
  headers[name] = value;
  if (distinct !== undefined) distinct[name] = [value];
  rawHeaders.push(name, value);
  if (COUNT !== undefined && COUNT in message)
    (message as unknown as Record<symbol, number>)[COUNT] = rawHeaders.length;
}

/** Digits only: repeated headers are joined by a comma and say nothing. @returns undefined for anything else */
function parseDigits(value: string | readonly string[] | undefined): number | undefined {
  if (typeof value !== "string" || value.length === 0 || value.length > LONGEST_DIGITS) return undefined;
  let number = 0;
  for (let index = 0; index < value.length; index++) {
    const digit = value.charCodeAt(index) - 48; // "0"
    if (digit < 0 || digit > 9) return undefined;
    number = number * 10 + digit;
  }
  return number;
}
