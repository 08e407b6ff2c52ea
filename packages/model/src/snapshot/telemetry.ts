/** What Telemetry resources and MeshConfig ask of one workload, merged by level and compiled. policy-semantics §3.7. */

import type { CelExpression } from "../cel/expression.js";
import type { RuleRef } from "./route.js";

/** By Prometheus suffix: `istio_requests_total` without `istio_`. */
export type StandardMetric =
  | "requests_total"
  | "request_duration_milliseconds"
  | "request_bytes"
  | "response_bytes"
  | "tcp_connections_opened_total"
  | "tcp_connections_closed_total"
  | "tcp_sent_bytes_total"
  | "tcp_received_bytes_total"
  | "request_messages_total"
  | "response_messages_total";

export interface TagOverride {
  readonly tag: string;
  /** Absent: the tag is removed. */
  readonly value?: CelExpression;
}

export interface MetricsPolicy {
  /** Not reported at all. */
  readonly disabled: ReadonlySet<StandardMetric>;
  /** Tags that differ from the standard ones, by metric; absent where none does. */
  readonly tags: ReadonlyMap<StandardMetric, readonly TagOverride[]>;
  /** Of TCP counters, in ms. @default 5,000 */
  readonly reportingMs: number;
}

export type CustomTag =
  | { readonly kind: "literal"; readonly name: string; readonly value: string }
  | { readonly kind: "environment"; readonly name: string; readonly variable: string; readonly fallback: string }
  /** Header in lower case. */
  | { readonly kind: "header"; readonly name: string; readonly header: string; readonly fallback: string }
  /** Access log operators, `%REQ(x-user)%`. */
  | { readonly kind: "formatter"; readonly name: string; readonly format: string };

export interface TracingPolicy {
  /** `disableSpanReporting`: contexts go on, spans are not recorded. */
  readonly disabled: boolean;
  /** 0–1 of requests without a decision of their caller's; absent: the default, or what the process's own SDK says. */
  readonly samplingRatio?: number;
  readonly tags: readonly CustomTag[];
  /** Istio's own tags. @default true */
  readonly istioTags: boolean;
  /** Trace headers are written on what goes out. @default true */
  readonly propagates: boolean;
  /** What asks for it; absent where nobody does. */
  readonly resource?: RuleRef;
}

export interface LogProvider {
  readonly name: string;
  /** `file` with `/dev/stdout` is stdout. `otel`: log records of OpenTelemetry. */
  readonly kind: "file" | "otel";
  readonly path: string;
  /** Envoy's text with operators; a map of names to operators; absent: the default of `encoding`. */
  readonly format?: string | Readonly<Record<string, unknown>>;
  readonly encoding: "text" | "json";
  /** Of an `otel` record: text with operators; its attributes are `format`. Absent: a short sentence. */
  readonly body?: string;
}

export interface AccessLogPolicy {
  readonly provider: LogProvider;
  readonly filter?: CelExpression;
  readonly resource?: RuleRef;
}

/** Of one side: calls that the process makes, or requests that it serves. */
export interface ModeTelemetry {
  readonly tracing: TracingPolicy;
  readonly metrics: MetricsPolicy;
  /** Empty: none. */
  readonly accessLogs: readonly AccessLogPolicy[];
}

export interface TelemetryPolicy {
  readonly client: ModeTelemetry;
  readonly server: ModeTelemetry;
}

const NOTHING_SAID: ModeTelemetry = Object.freeze({
  tracing: Object.freeze({ disabled: false, tags: Object.freeze([]), istioTags: true, propagates: true }),
  metrics: Object.freeze({ disabled: new Set<StandardMetric>(), tags: new Map(), reportingMs: 5_000 }),
  accessLogs: Object.freeze([]),
});

/** Where nobody says anything. */
export const NO_TELEMETRY_POLICY: TelemetryPolicy = Object.freeze({ client: NOTHING_SAID, server: NOTHING_SAID });
