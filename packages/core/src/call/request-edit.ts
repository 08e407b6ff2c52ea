/** What policy changes about a request or an answer. Pure; the data path and explain() both use it. */

import type { Destination, HeaderOps, HeaderPair, MatchRequest, Route } from "@inmesh/model";

export interface EditedRequest {
  readonly headers: readonly string[];
  readonly path: string;
  readonly authority: string;
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
    headers = applyHeaderOps(headers, ops, request);
  }
  return {
    headers,
    path: rewrittenPath(route, request.path),
    authority: rewrittenAuthority(route, destination, request.authority),
  };
}

/**
 * Several destinations: their own operations, then the route's, so that a route-level `set` wins (Envoy evaluates the most
 * specific level first; policy-semantics §1.6). A single destination's are part of the route's when they arrive here.
 */
export function orderedOps(ofRoute: HeaderOps | undefined, ofDestination: HeaderOps | undefined): readonly HeaderOps[] {
  if (ofRoute === undefined) return ofDestination === undefined ? NONE : [ofDestination];
  return ofDestination === undefined ? [ofRoute] : [ofDestination, ofRoute];
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

/** Removals first, then `set` (overwrites every line of the name), then `add` (one more line). */
export function applyHeaderOps(
  headers: readonly string[],
  { remove, set, add }: HeaderOps,
  request: MatchRequest,
): readonly string[] {
  const edited: string[] = [];
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index]!; // flat pairs: both indices are in range
    const key = name.toLowerCase();
    if (remove.includes(key) || set.some(([other]) => other === key)) continue;
    edited.push(name, headers[index + 1]!);
  }
  for (const pair of set) push(edited, pair, request);
  for (const pair of add) push(edited, pair, request);
  return edited;
}

function push(headers: string[], [name, value]: HeaderPair, request: MatchRequest): void {
  headers.push(name, value.includes("%") ? expand(value, request) : value);
}

/** `%REQ(name?other:max)%` and the other commands of Envoy's access log that a client can know; `%%` is a percent sign. */
function expand(value: string, request: MatchRequest): string {
  return value.replace(
    /%(?:%|([A-Z_]+)(?:\(([^)]*)\))?(?::(\d+))?%)/g,
    (whole, command: string | undefined, argument: string | undefined, max) => {
      if (command === undefined) return "%";
      const text = command === "REQ" ? header(request, argument ?? "") : command === "PROTOCOL" ? "HTTP/1.1" : whole;
      return max === undefined ? text : text.slice(0, Number(max));
    },
  );
}

function header(request: MatchRequest, argument: string): string {
  for (const name of argument.split("?")) {
    const value = request.header(name.toLowerCase());
    if (value !== undefined) return typeof value === "string" ? value : value.join(",");
  }
  return "-";
}

const NONE: readonly HeaderOps[] = [];
