/** One route of a virtual host, in the form that every source of policy is brought into. */

import type { HeaderOps, ResourceRef, Route, RouteAction } from "@inmesh/model";
import type { IndexedRoute, PathTest } from "@inmesh/model/internal";
import { compileHashKeys } from "./hash-policy.js";
import { compileHeaderOps, type HeaderToAdd, mergeHeaderOps } from "./header-ops.js";
import { compileRouteFilters, type PerFilterConfig, type RouteFilters } from "./per-filter.js";
import { type Findings, known } from "./refusal.js";
import { compileRetryPolicy, NO_RETRY, type RetrySpec } from "./retry.js";
import { compileRewrite } from "./rewrite.js";
import {
  compileForward,
  compileMirrors,
  type DirectResponseSpec,
  directResponse,
  type ForwardSpec,
  type RedirectSpec,
  redirectAction,
} from "./route-action.js";
import { compileRouteMatch, isEverything, type RouteMatch } from "./route-match.js";
import { durationMs, type Fields } from "./schema.js";

/** What a route table, a virtual host and a route may all say of headers. */
export type HeaderFields = Fields<{
  request_headers_to_add: readonly HeaderToAdd[];
  request_headers_to_remove: readonly string[];
  response_headers_to_add: readonly HeaderToAdd[];
  response_headers_to_remove: readonly string[];
}>;

export type RouteSpec = HeaderFields &
  Fields<{
    name: string;
    match: RouteMatch;
    route: ForwardSpec;
    redirect: RedirectSpec;
    direct_response: DirectResponseSpec;
    filter_action: object;
    non_forwarding_action: object;
    metadata: Fields<{ filter_metadata: Readonly<Record<string, Readonly<Record<string, unknown>>>> }>;
    typed_per_filter_config: PerFilterConfig;
    stat_prefix: string;
  }>;

/** What a route has from the levels above it. */
export interface RouteContext {
  /** The port being addressed. */
  readonly port: number;
  readonly headers: { readonly request: HeaderOps | undefined; readonly response: HeaderOps | undefined };
  /** The outermost first. */
  readonly filters: readonly (PerFilterConfig | undefined)[];
  /** The virtual host's. */
  readonly retry: RetrySpec | undefined;
  /** gRPC knows no timeout of a route but only `max_stream_duration` (gRFC A31). */
  readonly timeouts: "envoy" | "grpc";
  readonly maxStreamMs: number;
}

const READ = known(
  ...["name", "match", "route", "redirect", "direct_response", "filter_action", "non_forwarding_action", "metadata"],
  ...["typed_per_filter_config", "request_headers_to_add", "request_headers_to_remove", "response_headers_to_add"],
  ...["response_headers_to_remove", "stat_prefix", "decorator", "tracing"],
);

/** Envoy's, where a route says none. */
const DEFAULT_TIMEOUT_MS = 15_000;

/** @returns undefined for a route that no request of this process can match */
export function compileRoute(
  spec: RouteSpec,
  context: RouteContext,
  findings: Findings,
  where: string,
): IndexedRoute | undefined {
  findings.unread(spec, READ, where);
  if (spec.match === undefined) {
    findings.fault(`${where} has no match`);
    return undefined;
  }
  const match = compileRouteMatch(spec.match, findings, where);
  if (match === undefined) return undefined;
  const own = headerOps(spec, findings, where);
  const filters = compileRouteFilters([...context.filters, spec.typed_per_filter_config], findings, where);
  const whole = isEverything(match);
  const forward = spec.route;
  const action = actionOf(spec, context, match.path, findings, where);
  const timeoutMs = forward === undefined ? 0 : timeoutOf(forward, context);
  const retry = forward?.retry_policy ?? context.retry;
  const hashKeys = forward && compileHashKeys(forward.hash_policy, findings, where);
  const route: Route = {
    name: spec.name || "default",
    ...placeOf(spec, where),
    matches: whole ? [] : [match],
    action,
    rewrite: forward && compileRewrite(forward, match.path, findings, where),
    timeoutMs,
    retry:
      forward === undefined || retry === undefined
        ? NO_RETRY
        : compileRetryPolicy(retry, timeoutMs, findings, `${where}.route.retry_policy`),
    ...filtersOf(filters, action),
    mirrors: forward === undefined ? [] : compileMirrors(forward, context.timeouts, findings, where),
    requestHeaders: mergeHeaderOps(own.request, context.headers.request),
    responseHeaders: mergeHeaderOps(own.response, context.headers.response),
    ...(hashKeys && { hashKeys }),
    ...(spec.stat_prefix && { statPrefix: spec.stat_prefix }),
  };
  return { match: whole ? undefined : match, route };
}

export function headerOps(spec: HeaderFields, findings: Findings, where: string): RouteContext["headers"] {
  const { request_headers_to_add, request_headers_to_remove, response_headers_to_add, response_headers_to_remove } =
    spec;
  return {
    request: compileHeaderOps(request_headers_to_add, request_headers_to_remove, findings, `${where}.request_headers`),
    response: compileHeaderOps(
      response_headers_to_add,
      response_headers_to_remove,
      findings,
      `${where}.response_headers`,
    ),
  };
}

/** Answers of the mesh's own pass no CORS filter (measured with Istio). */
function filtersOf({ fault, cors, session }: RouteFilters, action: RouteAction) {
  return { fault, cors: action.kind === "forward" ? cors : undefined, ...(session && { session }) };
}

function actionOf(
  spec: RouteSpec,
  { port, timeouts: profile }: RouteContext,
  path: PathTest,
  findings: Findings,
  where: string,
): RouteAction {
  if (spec.redirect !== undefined) return redirectAction(spec.redirect, port, path, findings, where);
  if (spec.direct_response !== undefined) return directResponse(spec.direct_response, findings, where);
  const forward = spec.route && compileForward(spec.route, profile, findings, where);
  if (forward !== undefined) return forward;
  if (spec.route === undefined)
    findings.notHonoured(`${where}.${spec.filter_action === undefined ? "action" : "filter_action"}`);
  return UNUSABLE;
}

/** One route that nobody here understands must not refuse all the others (as grpc-go): its requests alone fail. */
const UNUSABLE: RouteAction = Object.freeze({
  kind: "directResponse",
  status: 503,
  body: "the route says what this version of inmesh does not do",
});

/** For everything. @param why for whoever gets it */
export function failingRoute(why: string): Route {
  return {
    ...{ name: "refused", resource: null, path: "", matches: [], rewrite: undefined, timeoutMs: 0, retry: NO_RETRY },
    action: { kind: "directResponse", status: 503, body: `the rules of this host are refused: ${why}` },
    ...{ fault: undefined, mirrors: [], cors: undefined, requestHeaders: undefined, responseHeaders: undefined },
  };
}

function timeoutOf(spec: ForwardSpec, { timeouts, maxStreamMs }: RouteContext): number {
  if (timeouts === "envoy") return durationMs(spec.timeout, DEFAULT_TIMEOUT_MS);
  const { max_stream_duration, grpc_timeout_header_max } = spec.max_stream_duration ?? {};
  return durationMs(grpc_timeout_header_max ?? max_stream_duration, maxStreamMs);
}

/** istiod says which document a route comes from: `/apis/networking.istio.io/v1/namespaces/shop/virtual-service/reviews`. */
const ORIGIN = /\/namespaces\/([^/]+)\/([^/]+)\/([^/]+)$/;
const KINDS: Readonly<Record<string, string>> = {
  "virtual-service": "VirtualService",
  "http-route": "HTTPRoute",
  "grpc-route": "GRPCRoute",
  "destination-rule": "DestinationRule",
};

export function originOf(metadata: RouteSpec["metadata"]): ResourceRef | null {
  const written = metadata?.filter_metadata?.["istio"]?.["config"];
  const [, namespace = "", kind = "", name = ""] = ORIGIN.exec(typeof written === "string" ? written : "") ?? [];
  return KINDS[kind] === undefined ? null : { kind: KINDS[kind], namespace, name };
}

function placeOf(spec: RouteSpec, where: string): Pick<Route, "resource" | "path"> {
  const resource = originOf(spec.metadata);
  return { resource, path: resource === null ? where : "" };
}
