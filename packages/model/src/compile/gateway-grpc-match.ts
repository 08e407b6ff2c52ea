/** One match of a GRPCRoute: a gRPC method is a path, `/package.Service/Method`. policy-semantics §5.4. */

import type { GatewayGrpcMatchSpec } from "../kind/gateway-grpc-route.js";
import { firstOfEach, type GatewayMatch, TYPES } from "./gateway-match.js";
import { literalPrefix, type PathTest } from "./path-test.js";
import { RequestMatch } from "./request-match.js";
import { compileRegex } from "./string-matcher.js";

const ANY_SERVICE = "[^/]+";
const ANY_METHOD = ".+";
/** Of the path `/`, which stands for all of them. */
const SHORTEST = 1;
/** As of a match of an HTTPRoute that takes every method of HTTP. */
const NO_METHOD = 1;

/**
 * The specification's order: more characters of the service, then of the method, then more headers. Among matches that
 * can meet in one request, that of paths says the same, so both kinds of routes are sorted by one rank: a method of a
 * service, expressions, a service, a method of whatever service.
 */
export function compileGrpcMatch({ method: wanted, headers: written }: GatewayGrpcMatchSpec): GatewayMatch {
  const { type = "Exact", service = "", method = "" } = wanted ?? {};
  const headers = firstOfEach(written, (name) => name.toLowerCase());
  const isExact = type === "Exact";
  const match = new RequestMatch(
    { headers: Object.fromEntries(headers) },
    isExact ? exactTest(service, method) : regexTest(`(?:${service || ANY_SERVICE})`, `(?:${method || ANY_METHOD})`),
    describe(isExact, service, method),
  );
  const rankOf = (kind: keyof typeof TYPES, length: number, methodRank = NO_METHOD, last = 0): readonly number[] => {
    return [TYPES[kind], -length, methodRank, -headers.size, last];
  };
  if (service === "" && method === "") return { match, rank: rankOf("PathPrefix", SHORTEST) };
  if (service === "") return { match, rank: rankOf("PathPrefix", SHORTEST, isExact ? -method.length : 0) };
  if (!isExact) return { match, rank: rankOf("RegularExpression", service.length, NO_METHOD, -method.length) };
  return { match, rank: rankOf(method === "" ? "PathPrefix" : "Exact", `/${service}/${method}`.length) };
}

function exactTest(service: string, method: string): PathTest {
  if (service === "" && method === "") return { kind: "any" };
  if (service === "") return regexTest(ANY_SERVICE, method);
  if (method === "") return { kind: "prefix", text: `/${service}/`, ignoreCase: false };
  return { kind: "exact", text: `/${service}/${method}`, ignoreCase: false };
}

function regexTest(service: string, method: string): PathTest {
  const text = `/${service}/${method}`;
  return { kind: "regex", text, test: compileRegex(text), prefix: literalPrefix(text) };
}

/** Empty for a match of every method. */
function describe(isExact: boolean, service: string, method: string): string {
  const part = (name: string, value: string) =>
    value === "" ? [] : [`${name} ${isExact ? value : `matching ${JSON.stringify(value)}`}`];
  const parts = [...part("service", service), ...part("method", method)];
  return parts.length === 0 ? "" : `gRPC ${parts.join(", ")}`;
}
