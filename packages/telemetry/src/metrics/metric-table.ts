/**
 * Every metric of the mesh, once: docs/reference/metrics.md shows the same table, and a test compares the two. Names that begin
 * with `istio_` are Istio's, so that its dashboards, Kiali and their alerts work as they are.
 */

import type { StandardMetric } from "@inmesh/model";

export type MetricType = "counter" | "gauge" | "histogram";

export interface MetricSpec {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  /** Beside those of `COMMON_LABELS` where `common` says so. */
  readonly labels: readonly string[];
  readonly common?: true;
  /** Of a histogram, the last but infinity. */
  readonly bounds?: readonly number[];
}

/** On every sample of Istio's metrics, in the order in which they are written. */
export const COMMON_LABELS = [
  "reporter",
  "source_workload",
  "source_canonical_service",
  "source_canonical_revision",
  "source_workload_namespace",
  "source_principal",
  "source_app",
  "source_version",
  "source_cluster",
  "destination_workload",
  "destination_workload_namespace",
  "destination_principal",
  "destination_app",
  "destination_version",
  "destination_service",
  "destination_canonical_service",
  "destination_canonical_revision",
  "destination_service_name",
  "destination_service_namespace",
  "destination_cluster",
  "request_protocol",
  "response_code",
  "grpc_response_status",
  "response_flags",
  "connection_security_policy",
] as const;

export type CommonLabel = (typeof COMMON_LABELS)[number];

/** Envoy's default bounds, for times in ms and for bytes alike. */
export const ENVOY_BOUNDS: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
];
/** Those of times in seconds, which is what Prometheus measures time in; only names that are Istio's say otherwise. */
const CONNECT_BOUNDS: readonly number[] = ENVOY_BOUNDS.map((ms) => ms / 1_000);
const OVERHEAD_BOUNDS: readonly number[] = [5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3];

/** The four that each request is counted in. */
export const TRAFFIC_METRICS = [
  "requests_total",
  "request_duration_milliseconds",
  "request_bytes",
  "response_bytes",
] as const satisfies readonly StandardMetric[];
/** The two that messages of gRPC are counted in, by what one request does not change. */
export const MESSAGE_METRICS = [
  "request_messages_total",
  "response_messages_total",
] as const satisfies readonly StandardMetric[];
export const ISTIO_METRICS = [...TRAFFIC_METRICS, ...MESSAGE_METRICS] as const;
export type TrafficMetric = (typeof ISTIO_METRICS)[number];

const counter = (name: string, labels: readonly string[], help: string): MetricSpec => ({
  ...{ name, type: "counter", labels, help },
});
const gauge = (name: string, labels: readonly string[], help: string): MetricSpec => ({
  ...{ name, type: "gauge", labels, help },
});
const histogram = (name: string, labels: readonly string[], bounds: readonly number[], help: string): MetricSpec => ({
  ...{ name, type: "histogram", labels, help, bounds },
});

export const METRICS = [
  { ...counter("istio_requests_total", [], "Requests, counted once when they end."), common: true },
  {
    ...histogram("istio_request_duration_milliseconds", [], ENVOY_BOUNDS, "From the start to the answer's last byte."),
    common: true,
  },
  { ...histogram("istio_request_bytes", [], ENVOY_BOUNDS, "Bytes of request bodies."), common: true },
  { ...histogram("istio_response_bytes", [], ENVOY_BOUNDS, "Bytes of answers' bodies."), common: true },
  { ...counter("istio_request_messages_total", [], "Messages of gRPC from client to server."), common: true },
  { ...counter("istio_response_messages_total", [], "Messages of gRPC from server to client."), common: true },
  gauge("istio_build", ["component", "tag"], "1, with the version of inmesh."),
  counter(
    "inmesh_upstream_attempts_total",
    ["service", "subset", "result"],
    "Attempts: success, failure, timeout, refused, cancelled.",
  ),
  counter(
    "inmesh_retries_total",
    ["service", "reason", "outcome"],
    "Attempts beyond the first, by what made them necessary and by what became of the call.",
  ),
  gauge("inmesh_retry_budget_balance", ["service"], "Retries that may begin now, where policy limits them."),
  gauge(
    "inmesh_breaker_state",
    ["service"],
    "0 closed, 1 half open, 2 open: the worst of the cluster's circuit breakers.",
  ),
  counter(
    "inmesh_breaker_transitions_total",
    ["service", "to"],
    "Changes of circuit breakers: to open, half_open, closed.",
  ),
  counter(
    "inmesh_outlier_ejections_total",
    ["service", "reason"],
    "Ejections of endpoints: consecutive_5xx, gateway, local_origin, success_rate, failure_percentage.",
  ),
  gauge("inmesh_outlier_ejections_active", ["service"], "Endpoints that outlier detection leaves out now."),
  counter(
    "inmesh_limit_rejected_total",
    ["service", "limit"],
    "Attempts that a limit of the cluster kept from being made.",
  ),
  counter(
    "inmesh_dropped_total",
    ["service", "category"],
    "Requests dropped because the control plane wants a share of them dropped (drop_overloads).",
  ),
  gauge(
    "inmesh_pool_connections",
    ["service", "state"],
    "Connections: active with a request, or being opened for one; idle. Without those of Agents.",
  ),
  gauge(
    "inmesh_pool_pending",
    ["service"],
    "Attempts that wait for a connection because no further one may be opened.",
  ),
  histogram(
    "inmesh_connect_duration_seconds",
    ["service", "tls"],
    CONNECT_BOUNDS,
    "Of connections that attempts waited for: look-up of the name, connect and TLS.",
  ),
  counter("inmesh_rate_limited_total", ["direction", "service", "mode"], "Requests that a rate limit refused."),
  counter(
    "inmesh_rate_limit_service_failures_total",
    ["service", "rule"],
    "Requests of which a rate limit service said nothing: they passed, or with failureModeDeny were turned away.",
  ),
  counter("inmesh_fault_injected_total", ["service", "kind"], "Faults injected by policy: abort, delay."),
  counter("inmesh_mirror_total", ["service", "result", "reason"], "Copies of requests: sent, failed, skipped."),
  gauge("inmesh_mirror_in_flight", ["service"], "Copies under way; 128 are the most."),
  counter(
    "inmesh_authz_decisions_total",
    ["action", "policy", "mode"],
    "Decisions of AuthorizationPolicies about requests that came in.",
  ),
  counter(
    "inmesh_tls_handshakes_total",
    ["direction", "result", "reason"],
    "TLS handshakes of this process, as server (inbound) and as client.",
  ),
  gauge(
    "inmesh_certificate_expiry_timestamp_seconds",
    ["kind"],
    "When the certificate of this process, or the first of its roots, expires.",
  ),
  gauge("inmesh_lease_state", ["state"], "1 for the state of this process's lease: none, registered, failing, left."),
  counter("inmesh_lease_failures_total", [], "Tries to register this process, or to renew its lease, that failed."),
  counter("inmesh_certificate_rotations_total", ["result"], "New certificates of this process."),
  gauge("inmesh_config_version", ["source"], "Version of the configuration in force; 0 before the first."),
  gauge("inmesh_config_age_seconds", ["source"], "Since the registry was last heard of: 0 while it answers."),
  gauge("inmesh_config_problems", ["source", "severity"], "Problems of the policy that is written."),
  gauge(
    "inmesh_xds_stream_state",
    ["state"],
    "1 for the state of the control plane's stream: connecting, fresh, stale.",
  ),
  counter(
    "inmesh_xds_messages_total",
    ["type", "direction", "result"],
    "Answers of the control plane: taken (ack), or with a resource that was refused (nack).",
  ),
  counter("inmesh_xds_bytes_total", ["type", "direction"], "Bytes of these answers."),
  gauge(
    "inmesh_xds_resources",
    ["type", "state"],
    "Resources that are wanted or known: acked, nacked, requested, does_not_exist, timeout, received_error.",
  ),
  gauge("inmesh_xds_last_update_timestamp_seconds", ["type"], "When a resource of the type changed last, since 1970."),
  counter(
    "inmesh_config_updates_total",
    ["source", "result"],
    "Configurations: applied, or rejected because they do not compile.",
  ),
  gauge("inmesh_endpoints", ["service", "health"], "Endpoints of clusters that this process calls: usable, out."),
  counter("inmesh_malformed_traces_total", [], "Requests whose traceparent nobody can read."),
  gauge("inmesh_inbound_in_flight", [], "Requests being served."),
  counter("inmesh_inbound_shed_total", ["reason"], "Requests turned away because the process had too much to do."),
  histogram(
    "inmesh_overhead_seconds",
    ["direction"],
    OVERHEAD_BOUNDS,
    "Time in the mesh's own code, network excluded.",
  ),
  gauge("inmesh_event_loop_delay_seconds", ["stat"], "How late the event loop was in the last 10 s."),
  counter(
    "inmesh_series_dropped_total",
    ["metric"],
    "Samples that went into __overflow__ because the metric has as many series as it may.",
  ),
  counter("process_cpu_seconds_total", [], "User and system CPU time."),
  gauge("process_resident_memory_bytes", [], "Resident memory."),
  gauge("process_start_time_seconds", [], "Start of the process since 1970."),
  gauge("nodejs_version_info", ["version", "major", "minor", "patch"], "1, with the version of Node."),
] as const satisfies readonly MetricSpec[];

export type MetricName = (typeof METRICS)[number]["name"];

export function metricOf(name: MetricName): MetricSpec {
  return BY_NAME.get(name)!; // of the table itself
}

const BY_NAME: ReadonlyMap<string, MetricSpec> = new Map(METRICS.map((spec) => [spec.name, spec]));
