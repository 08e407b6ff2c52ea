/** What policy changes about a request or an answer. Pure; the data path and explain() both use it. */

import type { Destination, HeaderOps, HeaderPair, MatchRequest, Rewrite, Route } from "@inmesh/model";
import { ORIGINAL_PATH_HEADER } from "./mesh-headers.js";

export interface EditedRequest {
  readonly headers: readonly string[];
  readonly path: string;
  readonly authority: string;
  /** A rule rewrites the path, be it to the same: the answer's operations then read what it was in `x-envoy-original-path`. */
  readonly rewritesPath: boolean;
}

/** A request whose headers can be changed: flat `[name, value, …]`. */
export interface EditableRequest extends MatchRequest {
  readonly headers: readonly string[];
}

/** Headers, path and authority as the upstream sees them. */
export function editRequest(
  route: Route,
  destination: Destination | undefined,
  request: EditableRequest,
): EditedRequest {
  let { headers } = request;
  for (const ops of orderedOps(route.requestHeaders, destination?.requestHeaders)) {
    headers = editOwnHeaders(headers, ops, request);
  }
  const { authorityOf, forwardsHost } = route.rewrite ?? NO_REWRITE;
  const asked = authorityOf?.(withHeaders(request, headers));
  const authority = asked ?? rewrittenAuthority(route, destination, request.authority);
  const isSaid = asked !== undefined || (route.rewrite?.authority ?? destination?.authority) !== undefined;
  return {
    headers: forwardsHost === true && isSaid ? withForwardedHost(headers, request.authority) : headers,
    path: rewrittenPath(route, request.path),
    authority,
    rewritesPath: route.rewrite?.path !== undefined,
  };
}

/** The request that left: what `%REQ(…)%` in the answer's headers reads. */
export function requestAsSent(request: MatchRequest, edited: EditedRequest): MatchRequest {
  const { method, scheme, header } = request;
  const { path, authority, headers, rewritesPath } = edited;
  const lines = !rewritesPath ? headers : [...headers, ORIGINAL_PATH_HEADER, request.path];
  return withHeaders({ method, scheme, path, authority, header }, lines);
}

/**
 * Several destinations: their own operations, then the route's, so that a route-level `set` wins (Envoy evaluates the most
 * specific level first; policy-semantics §1.6). A single destination's are part of the route's when they arrive here.
 */
export function orderedOps(ofRoute: HeaderOps | undefined, ofDestination: HeaderOps | undefined): readonly HeaderOps[] {
  if (ofRoute === undefined) return ofDestination === undefined ? NO_OPS : [ofDestination];
  return ofDestination === undefined ? [ofRoute] : [ofDestination, ofRoute];
}

const NO_REWRITE: Rewrite = {};
const FORWARDED_HOST = "x-forwarded-host";

/** One line with all of them; who stands last already is not added again (Envoy). */
export function withForwardedHost(headers: readonly string[], host: string): readonly string[] {
  const before = headers.filter((_, index) => index % 2 === 1 && headers[index - 1]?.toLowerCase() === FORWARDED_HOST);
  const hosts = before.join(",");
  if (hosts.split(",").at(-1)?.trim() === host) return headers;
  const others = headers.filter((_, index) => headers[index - (index % 2)]?.toLowerCase() !== FORWARDED_HOST);
  return [...others, FORWARDED_HOST, hosts === "" ? host : `${hosts},${host}`];
}

/** A route's host rewrite counts before its destination's. */
export function rewrittenAuthority(route: Route, destination: Destination | undefined, authority: string): string {
  return route.rewrite?.authority ?? destination?.authority ?? authority;
}

export function rewrittenPath({ rewrite }: Route, path: string): string {
  if (rewrite?.path === undefined) return path;
  const query = path.indexOf("?");
  return query < 0 ? rewrite.path(path) : rewrite.path(path.slice(0, query)) + path.slice(query);
}

/**
 * Removals first, then `set` (overwrites every line of the name), then `add` (one more line). A value that comes to nothing
 * changes nothing, as in Envoy: neither does it empty the header, nor add an empty one.
 * @param request what `%REQ(…)%` reads
 */
export function applyHeaderOps(headers: readonly string[], ops: HeaderOps, request: MatchRequest): readonly string[] {
  const { remove, set, add } = isPlain(ops) ? ops : filledIn(ops, request);
  const edited: string[] = [];
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index]!; // flat pairs: both indices are in range
    const key = name.toLowerCase();
    if (remove.includes(key) || set.some(([other]) => other === key)) continue;
    edited.push(name, headers[index + 1]!);
  }
  for (const [name, value] of set) edited.push(name, value);
  for (const [name, value] of add) edited.push(name, value);
  return edited;
}

/** One after the other, in their order. @param request what `%REQ(…)%` reads */
export function applyEachHeaderOps(
  headers: readonly string[],
  operations: readonly HeaderOps[],
  request: MatchRequest,
): readonly string[] {
  let lines = headers;
  for (const each of operations) lines = applyHeaderOps(lines, each, request);
  return lines;
}

/** A header's value with its commands filled in: `%REQ(name?other)%`, `%PROTOCOL%`; `%%` is a percent sign. */
export function expandValue(value: string, request: MatchRequest): string {
  if (!value.includes("%")) return value;
  return value.replace(COMMAND, (whole, command: string | undefined, argument: string | undefined) => {
    if (command === undefined) return "%";
    return command === "REQ" ? firstValue(request, argument ?? "") : command === "PROTOCOL" ? "HTTP/1.1" : whole;
  });
}

const NO_OPS: readonly HeaderOps[] = [];
const COMMAND = /%(?:%|([A-Z_]+)(?:\(([^)]*)\))?%)/g;

/** Operations on the request itself read it as it is by then: what was removed is empty (seen with Envoy 1.40). */
function editOwnHeaders(headers: readonly string[], ops: HeaderOps, request: MatchRequest): readonly string[] {
  if (isPlain(ops)) return applyHeaderOps(headers, ops, request);
  const kept = headers.filter((_, index) => !ops.remove.includes(headers[index - (index % 2)]!.toLowerCase())); // in range
  return applyHeaderOps(kept, ops, withHeaders(request, kept));
}

/** The request as if it had these headers. */
function withHeaders({ method, path, authority, scheme }: MatchRequest, headers: readonly string[]): MatchRequest {
  const header = (name: string): string | undefined => {
    for (let index = 0; index < headers.length; index += 2) {
      if (headers[index]!.toLowerCase() === name) return headers[index + 1]; // flat pairs: both indices are in range
    }
    return undefined;
  };
  return { method, path, authority, scheme, header };
}

/** Nothing to fill in and nothing empty: most policies, and known without a copy. */
function isPlain({ set, add }: HeaderOps): boolean {
  for (const [, value] of set) if (value === "" || value.includes("%")) return false;
  for (const [, value] of add) if (value === "" || value.includes("%")) return false;
  return true;
}

function filledIn({ remove, set, add }: HeaderOps, request: MatchRequest): HeaderOps {
  const fill = (pairs: readonly HeaderPair[]) =>
    pairs.map(([name, value]): HeaderPair => [name, expandValue(value, request)]).filter(([, value]) => value !== "");
  return { remove, set: fill(set), add: fill(add) };
}

/** Pseudo headers too. Of repeated lines the first; empty when none of the names is there. */
export function firstValue(request: MatchRequest, names: string): string {
  for (const name of names.toLowerCase().split("?")) {
    const value = pseudoHeader(request, name) ?? request.header(name);
    if (value !== undefined) return typeof value === "string" ? value : (value[0] ?? "");
  }
  return "";
}

function pseudoHeader({ method, path, authority, scheme }: MatchRequest, name: string): string | undefined {
  switch (name) {
    case ":method":
      return method;
    case ":path":
      return path;
    case ":authority":
    case "host":
      return authority;
    case ":scheme":
      return scheme;
    default:
      return undefined;
  }
}
