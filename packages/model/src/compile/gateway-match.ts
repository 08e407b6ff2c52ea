/** One match of an HTTPRoute, and which of two comes first. policy-semantics §5.2. */

import type { StringMatch } from "../kind/field.js";
import type { GatewayMatchSpec } from "../kind/gateway-http-route.js";
import type { GatewayValueMatchSpec } from "../kind/gateway-route.js";
import { elementsTest, literalPrefix, type PathTest } from "./path-test.js";
import { RequestMatch } from "./request-match.js";
import { compileRegex } from "./string-matcher.js";

export interface GatewayMatch {
  readonly match: RequestMatch;
  /** Sorts the more specific match first; equal ones keep the order of their routes. */
  readonly rank: readonly number[];
}

/**
 * Where expressions stand among paths is left to implementations: here before prefixes, as in Envoy Gateway, so that a
 * prefix for the rest does not hide them.
 */
export const TYPES = { Exact: 0, RegularExpression: 1, PathPrefix: 2 } as const;

export function compileGatewayMatch(spec: GatewayMatchSpec): GatewayMatch {
  const { type = "PathPrefix", value = "/" } = spec.path ?? {};
  const headers = firstOfEach(spec.headers, (name) => name.toLowerCase());
  const queryParams = firstOfEach(spec.queryParams, (name) => name);
  const method: StringMatch | undefined = spec.method === undefined ? undefined : { exact: spec.method };
  const match = new RequestMatch(
    { headers: Object.fromEntries(headers), queryParams: Object.fromEntries(queryParams), ...(method && { method }) },
    pathTest(type, value),
    `path ${type} ${JSON.stringify(value)}`,
  );
  const rank = [TYPES[type], -value.length, method === undefined ? 1 : 0, -headers.size, -queryParams.size];
  return { match, rank };
}

export function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (let index = 0; index < a.length; index++) {
    const difference = a[index]! - b[index]!; // ranks are equally long
    if (difference !== 0) return difference;
  }
  return 0;
}

function pathTest(type: keyof typeof TYPES, value: string): PathTest {
  switch (type) {
    case "Exact":
      return { kind: "exact", text: value, ignoreCase: false };
    case "PathPrefix":
      return elementsTest(value);
    case "RegularExpression":
      return { kind: "regex", text: value, test: compileRegex(value), prefix: literalPrefix(value) };
  }
}

/** Of names that mean the same the first counts. */
export function firstOfEach(
  values: readonly GatewayValueMatchSpec[] = [],
  keyOf: (name: string) => string,
): ReadonlyMap<string, StringMatch> {
  const first = new Map<string, StringMatch>();
  for (const { type = "Exact", name = "", value = "" } of values) {
    const key = keyOf(name);
    if (!first.has(key)) first.set(key, type === "Exact" ? { exact: value } : { regex: value });
  }
  return first;
}
