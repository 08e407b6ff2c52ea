/** typed_per_filter_config: what filters do with the requests of one route; of several levels the innermost speaks (gRFC A39). */

import type { CorsPolicy, FaultPolicy, SessionPolicy } from "@inmesh/model";
import type { Findings } from "./refusal.js";
import {
  type AnyMessage,
  anyOf,
  anyType,
  durationMs,
  type Fields,
  type FractionalPercent,
  fraction,
} from "./schema.js";
import { compileStringMatcher, type StringMatcher } from "./string-matcher.js";

export type PerFilterConfig = Readonly<Record<string, AnyMessage>>;

export interface RouteFilters {
  readonly fault: FaultPolicy | undefined;
  readonly cors: CorsPolicy | undefined;
  readonly session: SessionPolicy | undefined;
}

const HTTP = "envoy.extensions.filters.http";
const WRAPPER = "envoy.config.route.v3.FilterConfig";
/** Without effect on what is decided: figures and traces of Envoy's own. */
const SILENT = new Set(["istio_stats", "istio.stats", "envoy.filters.http.grpc_stats", "istio.metadata_exchange"]);

type Wrapper = Fields<{ config: AnyMessage; is_optional: boolean; disabled: boolean }>;

/** @param levels the outermost first: route table, virtual host, route. Of the destinations' own none is honoured */
export function compileRouteFilters(
  levels: readonly (PerFilterConfig | undefined)[],
  findings: Findings,
  where: string,
): RouteFilters {
  const found: { -readonly [Name in keyof RouteFilters]: RouteFilters[Name] } = {
    fault: undefined,
    cors: undefined,
    session: undefined,
  };
  for (const [name, any] of Object.entries(Object.assign({}, ...levels) as PerFilterConfig)) {
    const wrapper = anyOf<Wrapper>(any, WRAPPER);
    if (wrapper?.disabled === true) continue; // on this route it does nothing
    const config = wrapper === undefined ? any : wrapper.config;
    const place = `${where}.typed_per_filter_config ${name}`;
    const type = anyType(config);
    if (type === `${HTTP}.fault.v3.HTTPFault`) {
      found.fault = compileFault(config as unknown as FaultConfig, findings, place);
    } else if (type === `${HTTP}.cors.v3.CorsPolicy` || type === "envoy.config.route.v3.CorsPolicy") {
      found.cors = compileCors(config as unknown as CorsConfig, findings, place);
    } else if (type === `${HTTP}.stateful_session.v3.StatefulSessionPerRoute`) {
      found.session = compileSession(config as unknown as SessionConfig, findings, place);
    } else if (!SILENT.has(name)) {
      // gRPC refuses the whole table for it (A39); here the rest of it lives, as one route must not take all with it.
      findings.notHonoured(`${place} (${type || "no type"})`);
    }
  }
  return found;
}

type FaultConfig = Fields<{
  delay: Fields<{ fixed_delay: string; header_delay: object; percentage: FractionalPercent }>;
  abort: Fields<{ http_status: number; grpc_status: number; header_abort: object; percentage: FractionalPercent }>;
  headers: readonly object[];
  upstream_cluster: string;
  downstream_nodes: readonly string[];
  max_active_faults: number;
  response_rate_limit: object;
}>;

const GRPC_STATUSES = [
  ...["OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"],
  ...["PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED"],
  ...["INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"],
];

export function compileFault(config: FaultConfig, findings: Findings, where: string): FaultPolicy | undefined {
  const { delay, abort } = config;
  // Faults for some requests only are none: more requests than were meant must not fail.
  for (const name of ["headers", "upstream_cluster", "downstream_nodes", "response_rate_limit"] as const) {
    if (config[name] === undefined) continue;
    findings.notHonoured(`${where}.${name}`);
    if (name !== "response_rate_limit") return undefined;
  }
  if (config.max_active_faults !== undefined) findings.notHonoured(`${where}.max_active_faults`);
  if (delay?.header_delay !== undefined) findings.notHonoured(`${where}.delay.header_delay`);
  if (abort?.header_abort !== undefined) findings.notHonoured(`${where}.abort.header_abort`);
  const delayMs = durationMs(delay?.fixed_delay, 0);
  const delayRatio = delayMs > 0 ? fraction(delay?.percentage ?? {}) : 0;
  const hasAbort = abort?.http_status !== undefined || abort?.grpc_status !== undefined;
  const abortRatio = hasAbort ? fraction(abort?.percentage ?? {}) : 0;
  if (delayRatio === 0 && abortRatio === 0) return undefined;
  const grpc = abort?.grpc_status;
  return {
    delayRatio,
    delayMs,
    abortRatio,
    abortStatus: abort?.http_status ?? 0,
    ...(grpc !== undefined && { abortGrpcStatus: GRPC_STATUSES[grpc] ?? String(grpc) }),
  };
}

type CorsConfig = Fields<{
  allow_origin_string_match: readonly StringMatcher[];
  allow_methods: string;
  allow_headers: string;
  expose_headers: string;
  max_age: string;
  allow_credentials: boolean;
  filter_enabled: Fields<{ default_value: FractionalPercent }>;
  shadow_enabled: object;
  allow_private_network_access: boolean;
  forward_not_matching_preflights: boolean;
}>;

function compileCors(config: CorsConfig, findings: Findings, where: string): CorsPolicy | undefined {
  const enabled = config.filter_enabled?.default_value;
  if (enabled !== undefined && fraction(enabled) < 1) {
    if (fraction(enabled) > 0) findings.notHonoured(`${where}.filter_enabled below 100 %`);
    return undefined;
  }
  if (config.allow_private_network_access) findings.notHonoured(`${where}.allow_private_network_access`);
  const tests = (config.allow_origin_string_match ?? []).map((matcher) =>
    compileStringMatcher(matcher, findings, `${where}.allow_origin_string_match`),
  );
  const allows = (origin: string): boolean => tests.some(({ test }) => test(origin));
  const allowsAll = allows("*"); // what Envoy asks first
  return {
    allowsOrigin: (origin) => origin !== "" && (allowsAll || allows(origin)),
    repeatsWhatIsAsked: true,
    allowMethods: config.allow_methods ?? "",
    allowHeaders: config.allow_headers ?? "",
    exposeHeaders: config.expose_headers ?? "",
    maxAge: config.max_age ?? "",
    allowCredentials: config.allow_credentials ?? false,
    forwardsUnmatchedPreflights: config.forward_not_matching_preflights ?? true,
    field: "corsPolicy",
  };
}

type SessionConfig = Fields<{
  disabled: boolean;
  stateful_session: Fields<{ session_state: Fields<{ typed_config: AnyMessage }>; strict: boolean }>;
}>;

type CookieState = Fields<{ cookie: Fields<{ name: string; ttl: string; path: string }> }>;

function compileSession(config: SessionConfig, findings: Findings, where: string): SessionPolicy | undefined {
  const state = config.stateful_session?.session_state?.typed_config;
  if (config.disabled || state === undefined) return undefined;
  if (config.stateful_session?.strict) findings.notHonoured(`${where}.strict`);
  const cookie = anyOf<CookieState>(state, "envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState");
  const header = anyOf<Fields<{ name: string }>>(
    state,
    "envoy.extensions.http.stateful_session.header.v3.HeaderBasedSessionState",
  );
  const base = { permanent: false, absoluteMs: 0, idleMs: 0 };
  if (header?.name) return { ...base, kind: "header", name: header.name.toLowerCase(), path: "" };
  const { name = "", ttl, path = "/" } = cookie?.cookie ?? {};
  if (name === "") {
    findings.notHonoured(`${where} (${anyType(state)})`);
    return undefined;
  }
  const ttlMs = durationMs(ttl, 0);
  return { ...base, kind: "cookie", name, path, permanent: ttlMs > 0, absoluteMs: ttlMs };
}
