/** HTTPRoutes and GRPCRoutes of one host and port as routes, in the order in which they are asked. policy-semantics §5.2, §5.3. */

import type { GatewayAnyRuleSpec, GatewayGrpcMatchSpec } from "../kind/gateway-grpc-route.js";
import type { GatewayBackendRefSpec, GatewayFilterSpec, GatewayMatchSpec } from "../kind/gateway-http-route.js";
import type { Destination, MirrorPolicy, RetryPolicy, Route, RouteAction } from "../snapshot/route.js";
import { durationMs } from "./duration-ms.js";
import { ratio } from "./fault.js";
import {
  compileGatewayCors,
  compileGatewayRedirect,
  compileUrlRewrite,
  filterOf,
  headerOperations,
} from "./gateway-filter.js";
import { compileGrpcMatch } from "./gateway-grpc-match.js";
import { compareRanks, compileGatewayMatch, type GatewayMatch } from "./gateway-match.js";
import { type GatewayRoute, gatewayBackend } from "./gateway-parent.js";
import { compileSession } from "./gateway-session.js";
import { authorityOf, compileHeaderOps, mergeHeaderOps } from "./header-ops.js";
import { compileRetry } from "./retry.js";
import { compileHashKeys, type RouteContext } from "./route.js";
import type { IndexedRoute } from "./route-index.js";

/**
 * What a caller gets for a backend that does not exist, and for a rule without one. A gRPC client is to see UNAVAILABLE,
 * which is what it makes of a 503. Differs: Istio answers 500 there, too.
 */
const NO_BACKEND = { HTTPRoute: 500, GRPCRoute: 503 };
/** Of a rule with one backend, whatever weight it has. */
const WHOLE = 100;
const RETRIES = 2;
const RETRY_TOKENS = ["connect-failure", "refused-stream", "unavailable", "cancelled"];

/** @param routes oldest first */
export function compileGatewayRoutes(routes: readonly GatewayRoute[], context: RouteContext): readonly IndexedRoute[] {
  const entries = routes.flatMap((route) => {
    const { rules = [{}] } = route.spec;
    return rules.flatMap((rule, index) => compileRule(route, rule, index, context));
  });
  return entries.sort((a, b) => compareRanks(a.rank, b.rank)).map(({ indexed }) => indexed); // stable
}

interface Entry {
  readonly rank: readonly number[];
  readonly indexed: IndexedRoute;
}

function compileRule(
  route: GatewayRoute,
  rule: GatewayAnyRuleSpec,
  index: number,
  context: RouteContext,
): readonly Entry[] {
  const { matches = [], filters } = rule;
  const { kind, namespace, name } = route;
  const missingStatus = kind === "GRPCRoute" ? NO_BACKEND.GRPCRoute : NO_BACKEND.HTTPRoute;
  const path = `spec.rules[${index}]`;
  const { destinations, only } = compileBackends(rule.backendRefs ?? [], namespace);
  const requestOps = headerOperations(filterOf(filters, "requestHeaderModifier"));
  const responseOps = headerOperations(filterOf(filters, "responseHeaderModifier"));
  const ownOps = headerOperations(filterOf(only?.filters, "requestHeaderModifier"));
  const ownResponseOps = headerOperations(filterOf(only?.filters, "responseHeaderModifier"));
  const authority = authorityOf(requestOps) ?? authorityOf(ownOps);
  const redirect = filterOf(filters, "requestRedirect");
  const timeoutMs = durationMs(rule.timeouts?.request, 0);
  const hashes = destinations.map((destination) => context.hashOf(asDestination(destination)));
  const hashed = hashes.length === 1 && hashes[0] !== undefined;
  const hashKeys = compileHashKeys(hashes);
  const shared = {
    name: rule.name || "default",
    resource: { kind, namespace, name },
    timeoutMs,
    retry: ruleRetry(rule, timeoutMs, hashed, context.defaultRetry),
    fault: undefined,
    mirrors: compileMirrors(filters, namespace),
    cors: redirect === undefined ? compileGatewayCors(filters) : undefined, // as for VirtualServices
    requestHeaders: mergeHeaderOps(compileHeaderOps(requestOps), compileHeaderOps(ownOps)),
    responseHeaders: mergeHeaderOps(compileHeaderOps(responseOps), compileHeaderOps(ownResponseOps)),
    ...(hashKeys && { hashKeys }),
  } satisfies Partial<Route>;
  return (matches.length === 0 ? [{}] : matches).map((spec, position) => {
    const { match, rank } = compileMatch(kind, spec);
    const matched = kind === "GRPCRoute" ? undefined : (spec as GatewayMatchSpec).path;
    const session = compileSession(rule.sessionPersistence, { kind, namespace, name, index }, matched);
    const compiled: Route = {
      ...shared,
      ...(session && { session }),
      path: matches.length === 0 ? path : `${path}.matches[${position}]`,
      matches: [match],
      action:
        redirect === undefined
          ? forwardAction(destinations, missingStatus, `${kind}/${namespace}/${name} ${path}`)
          : compileGatewayRedirect(redirect, context.port, match.path),
      rewrite: compileUrlRewrite(filterOf(filters, "urlRewrite"), authority, match.path),
    };
    return { rank, indexed: { match, route: compiled } };
  });
}

/** The schema of a kind has judged its matches. */
function compileMatch(kind: string, spec: GatewayMatchSpec | GatewayGrpcMatchSpec): GatewayMatch {
  return kind === "GRPCRoute"
    ? compileGrpcMatch(spec as GatewayGrpcMatchSpec)
    : compileGatewayMatch(spec as GatewayMatchSpec);
}

function forwardAction(destinations: readonly Destination[], missingStatus: number, rule: string): RouteAction {
  if (destinations.length === 0) {
    return { kind: "directResponse", status: missingStatus, body: `${rule} has no backend with a weight above 0\n` };
  }
  const totalWeight = destinations.reduce((sum, { weight }) => sum + weight, 0);
  return { kind: "forward", destinations, totalWeight, missingStatus };
}

/** Of several backends those of weight 0 drop out; an unknown kind keeps its share, which then goes nowhere. */
function compileBackends(
  refs: readonly GatewayBackendRefSpec[],
  namespace: string,
): { readonly destinations: readonly Destination[]; readonly only: GatewayBackendRefSpec | undefined } {
  const weighted = refs.length > 1;
  const destinations = refs.flatMap((ref): readonly Destination[] => {
    if (ref.weight === 0) return [];
    const located = gatewayBackend(ref, namespace) ?? nowhere(ref);
    if (!weighted) return [{ ...located, weight: WHOLE }];
    return [{ ...located, weight: ref.weight ?? 1, ...ownParts(ref.filters) }];
  });
  return { destinations, only: weighted ? undefined : refs[0] };
}

/** No cluster has such a name. */
function nowhere({ kind = "", name = "", port = 0 }: GatewayBackendRefSpec): Omit<Destination, "weight"> {
  return { cluster: `unknown kind|${kind}|${name}`, host: name, port, subset: "" };
}

function ownParts(filters: readonly GatewayFilterSpec[] | undefined): Partial<Destination> {
  const operations = headerOperations(filterOf(filters, "requestHeaderModifier"));
  const requestHeaders = compileHeaderOps(operations);
  const responseHeaders = compileHeaderOps(headerOperations(filterOf(filters, "responseHeaderModifier")));
  const authority = authorityOf(operations);
  return {
    ...(requestHeaders && { requestHeaders }),
    ...(responseHeaders && { responseHeaders }),
    ...(authority !== undefined && { authority }),
  };
}

/** `backendRequest` bounds each attempt, whether or not there may be a second. */
function ruleRetry(
  { retry, timeouts }: GatewayAnyRuleSpec,
  timeoutMs: number,
  hashed: boolean,
  defaultRetry: RetryPolicy,
): RetryPolicy {
  const perTry = timeouts?.backendRequest;
  if (retry === undefined) {
    const { perTryTimeoutMs } = compileRetry({ perTryTimeout: perTry }, timeoutMs);
    const base = hashed ? { ...defaultRetry, avoidPreviousHosts: false } : defaultRetry;
    return perTry === undefined ? base : { ...base, perTryTimeoutMs };
  }
  const { attempts = RETRIES, codes = [], backoff } = retry;
  const retryOn = [...RETRY_TOKENS, ...codes].join(",");
  return compileRetry({ attempts, retryOn, backoff, perTryTimeout: perTry }, timeoutMs, hashed);
}

function compileMirrors(filters: readonly GatewayFilterSpec[] = [], namespace: string): readonly MirrorPolicy[] {
  return filters.flatMap(({ requestMirror }, index): readonly MirrorPolicy[] => {
    if (requestMirror?.backendRef === undefined) return [];
    const { backendRef, percent, fraction } = requestMirror;
    const share =
      fraction === undefined
        ? ratio(percent ?? 100)
        : ratio((100 * (fraction.numerator ?? 0)) / (fraction.denominator ?? 100));
    if (share === 0) return [];
    const destination = { ...(gatewayBackend(backendRef, namespace) ?? nowhere(backendRef)), weight: WHOLE };
    return [{ destination, ratio: share, field: `filters[${index}].requestMirror` }];
  });
}

function asDestination({ host, port }: Destination) {
  return { host, port: { number: port } };
}
