/** What a cluster asks of the calls to it: balancing, connections, limits, outliers, TLS. */

import type {
  ConnectionPolicy,
  HashAlgorithm,
  LimitPolicy,
  LoadBalancerKind,
  TrafficPolicy,
  WarmupPolicy,
} from "@inmesh/model";
import { compileClusterTls, type SocketMatch, type TransportSocket } from "./cluster-tls.js";
import { type CommonLb, compileLbPolicy, type ListedPolicy } from "./lb-policy.js";
import { compileOutlier, type OutlierSpec } from "./outlier.js";
import type { Findings } from "./refusal.js";
import { type AnyMessage, anyOf, durationMs, type Fields } from "./schema.js";

type SlowStart = Fields<{
  slow_start_window: string;
  aggression: Fields<{ default_value: number }>;
  min_weight_percent: Fields<{ value: number }>;
}>;

export type RingHashSpec = Fields<{
  minimum_ring_size: number;
  maximum_ring_size: number;
  hash_function: string | number;
}>;
export type LeastRequestSpec = Fields<{ choice_count: number; slow_start_config: SlowStart }>;

export type PolicySpec = Fields<{
  connect_timeout: string;
  lb_policy: string | number;
  load_balancing_policy: Fields<{ policies: readonly ListedPolicy[] }>;
  ring_hash_lb_config: RingHashSpec;
  maglev_lb_config: Fields<{ table_size: number }>;
  least_request_lb_config: LeastRequestSpec;
  round_robin_lb_config: Fields<{ slow_start_config: SlowStart }>;
  common_lb_config: CommonLb;
  circuit_breakers: Fields<{ thresholds: readonly Threshold[] }>;
  outlier_detection: OutlierSpec;
  transport_socket: TransportSocket;
  transport_socket_matches: readonly SocketMatch[];
  typed_extension_protocol_options: Readonly<Record<string, AnyMessage>>;
  http2_protocol_options: object;
  common_http_protocol_options: CommonHttp;
  upstream_connection_options: Fields<{
    tcp_keepalive: Fields<{ keepalive_probes: number; keepalive_time: number; keepalive_interval: number }>;
  }>;
}>;

type Threshold = Fields<{
  priority: string;
  max_connections: number;
  max_pending_requests: number;
  max_requests: number;
  max_retries: number;
  retry_budget: Fields<{ budget_percent: Fields<{ value: number }>; min_retry_concurrency: number }>;
}>;

type CommonHttp = Fields<{
  idle_timeout: string;
  max_connection_duration: string;
  max_requests_per_connection: number;
  max_stream_duration: string;
}>;

interface HttpVersions {
  readonly http_protocol_options?: object;
  readonly http2_protocol_options?: Http2;
}
type Http2 = Fields<{
  max_concurrent_streams: number;
  connection_keepalive: Fields<{ interval: string; timeout: string }>;
}>;

export type ProtocolOptions = Fields<{
  common_http_protocol_options: CommonHttp;
  explicit_http_config: HttpVersions;
  use_downstream_protocol_config: HttpVersions;
  auto_config: HttpVersions;
}>;

const PROTOCOL_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
/** Envoy's own limits where a cluster says none. istiod writes 2^32 - 1, which is none here. */
const UNLIMITED = 2 ** 32 - 1;
const ENVOY_LIMITS: LimitPolicy = {
  maxConnections: 1_024,
  maxPendingRequests: 1_024,
  maxRequests: 1_024,
  maxRetries: 3,
};
/** Envoy's, in ms. */
const CONNECT_MS = 5_000;
/** Linux's, which Envoy leaves alone. In seconds but for the first. */
const KEEP_ALIVE = { probes: 9, time: 7_200, interval: 75 };

/**
 * @param profile gRPC's rules: no limit but of requests, nothing of connections
 * @param acceptsUnnamed see `XdsTarget`
 */
export function compileTrafficPolicy(
  spec: PolicySpec,
  profile: "envoy" | "grpc",
  acceptsUnnamed: boolean,
  findings: Findings,
): TrafficPolicy {
  const { kind, hash, warmup, panicRatio } = compileLbPolicy(spec, profile, findings);
  const limits = compileLimits(spec, profile);
  const budget = defaultThreshold(spec)?.retry_budget;
  return {
    loadBalancer: kind,
    ...(hash && { hash }),
    ...(warmup && { warmup }),
    connection: compileConnection(spec),
    ...(limits && { limits }),
    ...(budget && {
      retryBudget: {
        ratio: (budget.budget_percent?.value ?? 20) / 100,
        minConcurrency: budget.min_retry_concurrency ?? 3,
        intervalMs: 0,
      },
    }),
    ...(spec.outlier_detection && { outlier: compileOutlier(spec.outlier_detection, panicRatio, findings) }),
    tls: compileClusterTls(spec.transport_socket, spec.transport_socket_matches ?? [], acceptsUnnamed, findings),
  };
}

export interface LbPolicy {
  readonly kind: LoadBalancerKind;
  readonly hash?: HashAlgorithm | undefined;
  readonly warmup?: WarmupPolicy | undefined;
  /** With a smaller share of healthy endpoints all are used, 0–1. */
  readonly panicRatio: number;
}

/** Without a window there is none. */
export function compileSlowStart(spec: SlowStart | undefined): WarmupPolicy | undefined {
  const windowMs = durationMs(spec?.slow_start_window, 0);
  if (windowMs === 0) return undefined;
  return {
    windowMs,
    minimumRatio: (spec?.min_weight_percent?.value ?? 10) / 100,
    aggression: spec?.aggression?.default_value || 1,
  };
}

export function protocolOptions(spec: PolicySpec): ProtocolOptions | undefined {
  return anyOf<ProtocolOptions>(spec.typed_extension_protocol_options?.[PROTOCOL_OPTIONS], PROTOCOL_OPTIONS);
}

/** `undefined`: HTTP/1.1. */
export function protocolOf(spec: PolicySpec): ConnectionPolicy["protocol"] {
  const options = protocolOptions(spec);
  if (options?.explicit_http_config?.http2_protocol_options !== undefined) return "http2";
  if (options?.use_downstream_protocol_config !== undefined) return "caller";
  return spec.http2_protocol_options === undefined ? undefined : "http2";
}

function compileConnection(spec: PolicySpec): ConnectionPolicy {
  const options = protocolOptions(spec);
  const common = options?.common_http_protocol_options ?? spec.common_http_protocol_options ?? {};
  const http2 =
    options?.explicit_http_config?.http2_protocol_options ??
    options?.use_downstream_protocol_config?.http2_protocol_options ??
    (spec.http2_protocol_options as Http2 | undefined);
  const protocol = protocolOf(spec);
  const maxAgeMs = durationMs(common.max_connection_duration, 0);
  const probes = spec.upstream_connection_options?.tcp_keepalive;
  const { interval, timeout } = http2?.connection_keepalive ?? {};
  return {
    connectTimeoutMs: durationMs(spec.connect_timeout, CONNECT_MS),
    idleTimeoutMs: durationMs(common.idle_timeout, 0),
    maxRequestsPerConnection: common.max_requests_per_connection ?? 0,
    ...(maxAgeMs > 0 && { maxAgeMs }),
    ...(probes && {
      keepAlive: {
        probes: probes.keepalive_probes ?? KEEP_ALIVE.probes,
        timeMs: (probes.keepalive_time ?? KEEP_ALIVE.time) * 1_000,
        intervalMs: (probes.keepalive_interval ?? KEEP_ALIVE.interval) * 1_000,
      },
    }),
    ...(protocol && { protocol }),
    ...(http2?.max_concurrent_streams && { maxConcurrentStreams: http2.max_concurrent_streams }),
    ...(interval &&
      timeout && { http2KeepAlive: { intervalMs: durationMs(interval, 0), timeoutMs: durationMs(timeout, 0) } }),
  };
}

/** The first threshold of default priority counts (gRFC A32, Envoy). */
function defaultThreshold(spec: PolicySpec): Threshold | undefined {
  return spec.circuit_breakers?.thresholds?.find(({ priority = "DEFAULT" }) => priority === "DEFAULT");
}

function compileLimits(spec: PolicySpec, profile: "envoy" | "grpc"): LimitPolicy | undefined {
  const said = defaultThreshold(spec);
  const limit = (value: number | undefined, otherwise: number): number => {
    const wanted = value ?? otherwise;
    return wanted >= UNLIMITED ? 0 : wanted;
  };
  const limits: LimitPolicy =
    profile === "grpc"
      ? {
          maxConnections: 0,
          maxPendingRequests: 0,
          maxRequests: limit(said?.max_requests, ENVOY_LIMITS.maxRequests),
          maxRetries: 0,
        }
      : {
          maxConnections: limit(said?.max_connections, ENVOY_LIMITS.maxConnections),
          maxPendingRequests: limit(said?.max_pending_requests, ENVOY_LIMITS.maxPendingRequests),
          maxRequests: limit(said?.max_requests, ENVOY_LIMITS.maxRequests),
          maxRetries: limit(said?.max_retries, ENVOY_LIMITS.maxRetries),
        };
  return Object.values(limits).some((each) => each > 0) ? limits : undefined;
}
