/** Configuration of Envoy, as istiod writes it, in the terms of our snapshot: for tests that compare the two. */

import { durationMs } from "../src/compile/duration-ms.js";
import type { HashKey, Route } from "../src/snapshot/route.js";
import type { TrafficPolicy } from "../src/snapshot/traffic-policy.js";

/** The fields of Envoy's protobufs that are looked at. */
export interface EnvoyCluster {
  readonly name: string;
  readonly type?: string;
  readonly connect_timeout: string;
  readonly lb_policy?: "LEAST_REQUEST" | "RANDOM" | "RING_HASH" | "MAGLEV" | "CLUSTER_PROVIDED";
  readonly circuit_breakers: { readonly thresholds: readonly [Readonly<Record<string, number>>] };
  readonly outlier_detection?: Readonly<Record<string, number | string | boolean>>;
  readonly ring_hash_lb_config?: { readonly minimum_ring_size: number };
  readonly maglev_lb_config?: { readonly table_size: number };
  readonly least_request_lb_config?: SlowStart;
  readonly round_robin_lb_config?: SlowStart;
  readonly common_lb_config?: {
    readonly healthy_panic_threshold?: { readonly value?: number };
    readonly locality_weighted_lb_config?: object;
  };
  readonly upstream_connection_options?: { readonly tcp_keepalive?: Readonly<Record<string, number>> };
  readonly typed_extension_protocol_options?: Readonly<Record<string, HttpOptions>>;
}

interface SlowStart {
  readonly slow_start_config?: {
    readonly slow_start_window: string;
    readonly aggression?: { readonly default_value: number };
    readonly min_weight_percent?: { readonly value?: number };
  };
}

interface HttpOptions {
  readonly common_http_protocol_options?: {
    readonly idle_timeout?: string;
    readonly max_connection_duration?: string;
    readonly max_requests_per_connection?: number;
  };
  readonly explicit_http_config?: { readonly http2_protocol_options?: { readonly max_concurrent_streams?: number } };
}

export interface EnvoyRoute {
  readonly name?: string;
  readonly route?: {
    readonly cluster?: string;
    readonly weighted_clusters?: { readonly clusters: readonly { readonly name: string; readonly weight: number }[] };
    readonly timeout?: string;
    readonly retry_policy?: {
      readonly retry_on: string;
      readonly retriable_status_codes?: readonly number[];
      readonly num_retries?: number;
      readonly per_try_timeout?: string;
      readonly retry_host_predicate?: readonly object[];
      readonly retry_priority?: object;
    };
    readonly hash_policy?: readonly Readonly<Record<string, Readonly<Record<string, string>>>>[];
    readonly request_mirror_policies?: readonly { readonly cluster: string }[];
  };
}

export interface RouteConfiguration {
  readonly virtual_hosts?: readonly { readonly name: string; readonly routes: readonly EnvoyRoute[] }[];
}

const NO_LIMIT = 2 ** 32 - 1;
const BALANCERS = { LEAST_REQUEST: "leastRequest", RANDOM: "random", CLUSTER_PROVIDED: "passThrough" } as const;

export function policyOf(cluster: EnvoyCluster): Omit<TrafficPolicy, "locality" | "tls"> {
  const { lb_policy, ring_hash_lb_config, maglev_lb_config, circuit_breakers, outlier_detection } = cluster;
  const hashed = lb_policy === "RING_HASH" || lb_policy === "MAGLEV";
  const [limit] = circuit_breakers.thresholds;
  const limitOf = (name: string): number => (limit[name] === NO_LIMIT ? 0 : (limit[name] ?? 0));
  const limits = {
    maxConnections: limitOf("max_connections"),
    maxPendingRequests: limitOf("max_pending_requests"),
    maxRequests: limitOf("max_requests"),
    maxRetries: limitOf("max_retries"),
  };
  const slow = (cluster.least_request_lb_config ?? cluster.round_robin_lb_config)?.slow_start_config;
  const [http] = Object.values(cluster.typed_extension_protocol_options ?? {});
  const common = http?.common_http_protocol_options;
  const http2 = http?.explicit_http_config?.http2_protocol_options;
  const keepAlive = cluster.upstream_connection_options?.tcp_keepalive;
  return {
    loadBalancer: hashed ? "leastRequest" : lb_policy === undefined ? "roundRobin" : BALANCERS[lb_policy],
    ...(ring_hash_lb_config && {
      hash: { kind: "ringHash", minimumRingSize: ring_hash_lb_config.minimum_ring_size },
    }),
    ...(maglev_lb_config && { hash: { kind: "maglev", tableSize: maglev_lb_config.table_size } }),
    ...(slow && {
      warmup: {
        windowMs: durationMs(slow.slow_start_window, 0),
        minimumRatio: (slow.min_weight_percent?.value ?? 0) / 100,
        aggression: slow.aggression?.default_value ?? 1,
      },
    }),
    connection: {
      connectTimeoutMs: durationMs(cluster.connect_timeout, 0),
      idleTimeoutMs: durationMs(common?.idle_timeout, 0),
      maxRequestsPerConnection: common?.max_requests_per_connection ?? 0,
      ...(common?.max_connection_duration && { maxAgeMs: durationMs(common.max_connection_duration, 0) }),
      ...(keepAlive && {
        keepAlive: {
          probes: keepAlive["keepalive_probes"] ?? 9,
          timeMs: (keepAlive["keepalive_time"] ?? 7_200) * 1_000,
          intervalMs: (keepAlive["keepalive_interval"] ?? 75) * 1_000,
        },
      }),
      ...(http2 && { protocol: "http2" }),
    },
    ...(Object.values(limits).some((value) => value > 0) && { limits }),
    ...(outlier_detection && { outlier: outlierOf(outlier_detection, cluster.common_lb_config) }),
  };
}

function outlierOf(
  detection: NonNullable<EnvoyCluster["outlier_detection"]>,
  common: EnvoyCluster["common_lb_config"],
): TrafficPolicy["outlier"] {
  const number = (name: string, otherwise: number): number => Number(detection[name] ?? otherwise);
  const duration = (name: string, otherwise: number): number => durationMs(detection[name] as string, otherwise);
  return {
    consecutiveErrors: number("consecutive_5xx", 5),
    consecutiveGatewayErrors: number("consecutive_gateway_failure", 0),
    splitsLocalErrors: detection["split_external_local_origin_errors"] === true,
    consecutiveLocalErrors: number("consecutive_local_origin_failure", 5),
    errorStatuses: [],
    intervalMs: duration("interval", 10_000),
    baseEjectionMs: duration("base_ejection_time", 30_000),
    maxEjectionMs: 300_000,
    maxEjectionRatio: number("max_ejection_percent", 10) / 100,
    minHealthRatio: (common?.healthy_panic_threshold?.value ?? 0) / 100,
  };
}

function envoyHash(policy: NonNullable<NonNullable<EnvoyRoute["route"]>["hash_policy"]>[number]): HashKey {
  const { header, query_parameter, cookie } = policy;
  if (header) return { kind: "header", name: header["header_name"] ?? "" };
  if (query_parameter) return { kind: "queryParameter", name: query_parameter["name"] ?? "" };
  if (cookie === undefined) return { kind: "sourceIp" };
  const { name = "", path = "", ttl } = cookie;
  return { kind: "cookie", name, path, ...(ttl && { ttlMs: durationMs(ttl, 0) }), attributes: [] };
}

/** Without the name for numbers, which Istio writes down twice, and even where there are none. */
function conditions(tokens: readonly string[]): ReadonlySet<string> {
  return new Set(tokens.filter((token) => !/^\d+$|^retriable-status-codes$/.test(token)));
}

export function theirRoute({ name = "default", route }: EnvoyRoute) {
  if (route === undefined) return { name, forward: false };
  const { cluster, weighted_clusters, retry_policy: retry, hash_policy = [], request_mirror_policies = [] } = route;
  return {
    name,
    forward: true,
    clusters: weighted_clusters?.clusters.map((each) => `${each.name} ${each.weight}`) ?? [`${cluster} 100`],
    timeoutMs: durationMs(route.timeout, 0),
    retries: retry?.num_retries ?? 0,
    ...(retry && {
      on: conditions(retry.retry_on.split(",")),
      statuses: new Set(retry.retriable_status_codes),
      perTryTimeoutMs: durationMs(retry.per_try_timeout, 0),
      avoids: retry.retry_host_predicate !== undefined,
      remote: retry.retry_priority !== undefined,
    }),
    hashKeys: hash_policy.map(envoyHash),
    mirrors: request_mirror_policies.map((mirror) => mirror.cluster),
  };
}

export function ourRoute({ name, action, timeoutMs, retry, hashKeys = [], mirrors }: Route) {
  if (action.kind !== "forward") return { name, forward: false };
  return {
    name,
    forward: true,
    clusters: action.destinations.map(({ cluster, weight }) => `${cluster} ${weight}`),
    timeoutMs,
    retries: retry.maxAttempts - 1,
    ...(retry.maxAttempts > 1 && {
      on: conditions(retry.tokens),
      statuses: retry.statusCodes,
      perTryTimeoutMs: retry.perTryTimeoutMs,
      avoids: retry.avoidPreviousHosts,
      remote: retry.retryRemoteLocalities,
    }),
    hashKeys,
    mirrors: mirrors.map(({ destination }) => destination.cluster),
  };
}
