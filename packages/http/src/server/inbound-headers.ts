/**
 * What an inbound request's headers say to the mesh, and how they are kept from the application. One pass over the raw
 * lines: nearly every request holds nothing of ours, and finding that out must cost next to nothing.
 */

import { randomUUID } from "node:crypto";
import { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import {
  MIRRORED_HEADER,
  PEER_METADATA_HEADER,
  PEER_METADATA_ID_HEADER,
  SPENT_HEADER,
  TIMEOUT_HEADER,
  WORKLOAD_HEADER,
} from "@inmesh/core/internal";
import { GRPC_TIMEOUT_HEADER, grpcTimeoutMs } from "./grpc-timeout.js";
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
  /** What the caller says of itself, ours or a sidecar; empty. */
  readonly workload: string;
  /** Its `traceparent` is none that anybody could read. */
  readonly malformed: boolean;
}

/** Headers between members of the mesh. From anybody they may only shorten the work, never claim an identity (pitfalls T7). */
const OURS = "x-inmesh-";
const LETTER_X = 120;
/** A day: longer deadlines say nothing. In ms. */
const LONGEST_MS = 86_400_000;
const LONGEST_DIGITS = 12;
/** Of a request's id, in characters: it stands in every line of every log. */
const LONGEST_ID = 128;
export const REQUEST_ID_HEADER = "x-request-id";
export const CLIENT_CERT_HEADER = "x-forwarded-client-cert";
const NONE: readonly string[] = [];

/**
 * Where Node keeps how many entries of `rawHeaders` it was given: it makes `headersDistinct` from that many when it is
 * asked for. Undefined where a later Node has none; then it is made before the list gets shorter.
 */
const COUNT = Object.getOwnPropertySymbols(new IncomingMessage(undefined as unknown as Socket)).find(
  ({ description }) => description === "kHeadersCount",
);

/** Where Node keeps `headers`, null before they are asked for. */
const MADE = Object.getOwnPropertySymbols(new IncomingMessage(undefined as unknown as Socket)).find(
  ({ description }) => description === "kHeaders",
);
type Made = Record<symbol, unknown>;

/**
 * Reads the mesh's headers of a request and takes them out of `headers`, `headersDistinct` and `rawHeaders`.
 * @param leaves them where they are
 * @param also names, lower-case, of what is passed on besides headers of traces
 */
export function takeHeaders(request: RequestHead, leaves = false, also?: ReadonlySet<string>): InboundHeaders {
  const { rawHeaders } = request;
  let forward: string[] | undefined;
  let remainingMs = Number.POSITIVE_INFINITY;
  let spentAbove = 0;
  let ours = false;
  let clientCert = false;
  let sidecar = false;
  let workload = "";
  let malformed = false;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!; // flat pairs
    const key = isForwarded(name) ?? (also === undefined ? undefined : among(also, name));
    if (key !== undefined) {
      const value = request.headers[key]; // repeated lines are joined there
      if (typeof value !== "string" || forward?.includes(key) === true) continue;
      if (key === REQUEST_ID_HEADER && value.length > LONGEST_ID) continue;
      if (key === "traceparent" && !isTraceparent(value)) malformed = true;
      forward ??= [];
      forward.push(key, value);
    } else if (isOurs(name)) ours = true;
    else if (name.length === GRPC_TIMEOUT_HEADER.length && same(name, GRPC_TIMEOUT_HEADER))
      remainingMs = grpcTimeoutMs(rawHeaders[index + 1]!);
    else if (name.length === CLIENT_CERT_HEADER.length && same(name, CLIENT_CERT_HEADER)) clientCert = true;
    else if (isSidecars(name)) sidecar = true;
  }
  if (ours) {
    const ms = parseDigits(request.headers[TIMEOUT_HEADER]);
    if (ms !== undefined) remainingMs = Math.min(ms, LONGEST_MS, remainingMs);
    spentAbove = parseDigits(request.headers[SPENT_HEADER]) ?? 0;
    // Part of the way of a copy: so are the calls made for it.
    if (request.headers[MIRRORED_HEADER] !== undefined) forward = [...(forward ?? NONE), MIRRORED_HEADER, "1"];
    workload = textOf(request.headers[WORKLOAD_HEADER]);
    if (!leaves) hideHeaders(request, isOurs);
  }
  if (sidecar) {
    workload ||= textOf(request.headers[PEER_METADATA_HEADER]);
    if (!leaves) hideHeaders(request, isSidecars);
  }
  return { forward: forward ?? NONE, remainingMs, spentAbove, clientCert, workload, malformed };
}

/**
 * @returns its lower-case name when it is passed on to every call, unless the caller of the mesh sets its own: what the tracing
 * systems of this world write (observability §4.4)
 */
function isForwarded(name: string): string | undefined {
  switch (name.length) {
    case "b3".length:
      return same(name, "b3");
    case "sw8".length:
      return same(name, "sw8");
    case "baggage".length:
      return same(name, "baggage");
    case "tracestate".length:
      return same(name, "tracestate") ?? byPrefix(name);
    case "traceparent".length:
      return same(name, "traceparent") ?? byPrefix(name);
    case "uber-trace-id".length:
      return same(name, "uber-trace-id") ?? byPrefix(name);
    case "x-request-id".length:
      return same(name, REQUEST_ID_HEADER) ?? byPrefix(name);
    case "grpc-trace-bin".length:
      return same(name, "grpc-trace-bin") ?? byPrefix(name);
    case "x-ot-span-context".length:
      return same(name, "x-ot-span-context") ?? byPrefix(name);
    case "x-cloud-trace-context".length:
      return same(name, "x-cloud-trace-context") ?? byPrefix(name);
    default:
      return byPrefix(name);
  }
}

function among(names: ReadonlySet<string>, name: string): string | undefined {
  const key = name.toLowerCase();
  return names.has(key) ? key : undefined;
}

/** An outsider's baggage: it came to nobody. @returns what is passed on without it */
export function dropBaggage(request: RequestHead, forward: readonly string[]): readonly string[] {
  if (request.headers[BAGGAGE] === undefined) return forward;
  hideHeaders(request, (name) => same(name, BAGGAGE) !== undefined);
  return forward.filter((_, index) => forward[index & ~1] !== BAGGAGE); // flat pairs
}

const BAGGAGE = "baggage";
const PREFIXES = ["x-b3-", "x-datadog-"];

function byPrefix(name: string): string | undefined {
  if ((name.charCodeAt(0) | 32) !== LETTER_X || name.length > LONGEST_NAME) return undefined;
  const third = name.charCodeAt(2) | 32;
  if (third !== 98 && third !== 100) return undefined; // b, d
  const key = name.toLowerCase();
  return PREFIXES.some((prefix) => key.startsWith(prefix)) ? key : undefined;
}

/** Of trace headers by prefix: theirs are shorter. */
const LONGEST_NAME = 40;
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/;
const TRACEPARENT_CHARS = 55;

/** W3C Trace Context §2.2: what cannot be read is none, and a new trace begins. Of version 00 nothing follows. */
function isTraceparent(value: string): boolean {
  return TRACEPARENT.test(value) && (value.length === TRACEPARENT_CHARS || !value.startsWith("00"));
}

/** @returns empty where there is none */
export function lineOf(flat: readonly string[], name: string): string {
  for (let index = 0; index < flat.length; index += 2) if (flat[index] === name) return flat[index + 1]!; // flat pairs
  return "";
}

function same(name: string, key: string): string | undefined {
  return name === key || name.toLowerCase() === key ? key : undefined;
}

function isOurs(name: string): boolean {
  if (name.length <= OURS.length || (name.charCodeAt(0) | 32) !== LETTER_X) return false;
  return name.startsWith(OURS) || name.slice(0, OURS.length).toLowerCase() === OURS;
}

/** What sidecars tell each other, and no application. */
function isSidecars(name: string): boolean {
  if (name.length === PEER_METADATA_HEADER.length) return same(name, PEER_METADATA_HEADER) !== undefined;
  return name.length === PEER_METADATA_ID_HEADER.length && same(name, PEER_METADATA_ID_HEADER) !== undefined;
}

/** Repeated lines say nothing. */
function textOf(value: string | readonly string[] | undefined): string {
  return typeof value === "string" ? value : "";
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
  const { rawHeaders } = message;
  const distinct = COUNT === undefined ? message.headersDistinct : undefined;
  // Node makes them of the lines when somebody asks, which may be nobody.
  const unmade = MADE !== undefined && COUNT !== undefined && (message as unknown as Made)[MADE] === null;
  if (!unmade) message.headers[name] = value;
  if (distinct !== undefined) distinct[name] = [value];
  rawHeaders.push(name, value);
  if (COUNT !== undefined && COUNT in message)
    (message as unknown as Record<symbol, number>)[COUNT] = rawHeaders.length;
}

/** What follows such a request is a trace of its own. */
function withoutTrace(flat: readonly string[]): readonly string[] {
  return flat.filter((_, index) => !TRACE.has(flat[index - (index % 2)] ?? ""));
}

/**
 * Of a request that somebody tells of: headers of a trace that can be read, and an id.
 * @param flat lines that calls made for it carry on
 * @param malformed its trace cannot be read
 * @param above id by which another mesh of the process knows it already; empty: none does
 */
export function identified(
  flat: readonly string[],
  malformed: boolean,
  above = "",
): { readonly forward: readonly string[]; readonly requestId: string } {
  const forward = malformed ? withoutTrace(flat) : flat;
  const given = lineOf(forward, REQUEST_ID_HEADER);
  if (given !== "") return { forward, requestId: given };
  const requestId = above || randomUUID();
  return { forward: [...forward, REQUEST_ID_HEADER, requestId], requestId };
}

const TRACE: ReadonlySet<string> = new Set(["traceparent", "tracestate"]);

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
