/** One line as an object: what functions and pino get, and JSON lines are made of. Absent values are left out. */

import type { AttemptRecord, OutcomeRecord, TimeLedger } from "@inmesh/core";
import {
  attemptResult,
  capped,
  durationMs,
  filled,
  firstByteMs,
  flagsOf,
  type LineContext,
  pathOf,
  requestHeader,
  responseHeader,
  routeName,
  serverName,
  serviceOf,
  subsetOf,
  transportFailure,
  upstreamCluster,
  upstreamHost,
  upstreamServiceMs,
} from "./fields.js";
import { isoTime } from "./iso-time.js";

export interface AttemptEntry {
  endpoint: string;
  ms: number;
  /** Its status, or why there is none: `reset`. */
  result: string;
}

/** The first names are those of Istio's JSON format; docs/reference/access-log.md lists all. */
export interface AccessLogEntry {
  start_time: string;
  direction: "outbound" | "inbound";
  method: string;
  path: string;
  protocol?: string;
  response_code: number;
  response_flags: string;
  response_code_details?: string;
  upstream_transport_failure_reason?: string;
  bytes_received: number;
  bytes_sent: number;
  /** Whole ms. */
  duration: number;
  upstream_service_time?: number;
  x_forwarded_for?: string;
  user_agent?: string;
  request_id?: string;
  authority: string;
  upstream_host?: string;
  upstream_cluster?: string;
  upstream_local_address?: string;
  downstream_local_address?: string;
  downstream_remote_address?: string;
  requested_server_name?: string;
  route_name?: string;
  duration_us: number;
  ttfb_ms?: number;
  /** Where the time went, in ms; parts of 0 are left out. */
  timing?: Record<string, number>;
  attempts?: number;
  attempt_log?: AttemptEntry[];
  no_retry?: string;
  code?: string;
  service?: string;
  subset?: string;
  workload?: string;
  http_route?: string;
  mtls: "mutual" | "none";
  peer_principal?: string;
  trace_id?: string;
  span_id?: string;
  grpc_status?: number;
  grpc_message?: string;
  policy?: string;
  snapshot: number;
}

export function entryOf(record: OutcomeRecord, context: LineContext): AccessLogEntry {
  const outbound = record.direction === "outbound";
  const { attempts, attemptCount, ledger } = record;
  const timing = timingOf(ledger);
  return defined({
    start_time: isoTime(record.wallMs),
    direction: record.direction,
    method: capped(record.method),
    path: pathOf(record, context.query),
    protocol: filled(record.protocol),
    response_code: record.status,
    response_flags: flagsOf(record),
    response_code_details: filled(record.details),
    upstream_transport_failure_reason: transportFailure(record),
    bytes_received: record.requestBytes,
    bytes_sent: record.responseBytes,
    duration: Math.floor(durationMs(record)),
    upstream_service_time: upstreamServiceMs(record, ledger),
    x_forwarded_for: requestHeader(record, "x-forwarded-for"),
    user_agent: requestHeader(record, "user-agent"),
    request_id: filled(capped(record.requestId)),
    authority: capped(record.authority),
    upstream_host: upstreamHost(record),
    upstream_cluster: upstreamCluster(record),
    upstream_local_address: outbound ? filled(record.localAddress) : undefined,
    downstream_local_address: outbound ? undefined : filled(record.localAddress),
    downstream_remote_address: outbound ? undefined : filled(record.remoteAddress),
    requested_server_name: serverName(record),
    route_name: routeName(record),
    duration_us: Math.round(durationMs(record) * 1_000),
    ttfb_ms: rounded(firstByteMs(record, ledger)),
    timing,
    attempts: outbound ? attemptCount : undefined,
    attempt_log: attemptCount > 1 || record.code !== "" ? attemptEntries(attempts) : undefined,
    no_retry: filled(record.noRetry),
    code: filled(record.code),
    service: serviceOf(record, context.service),
    subset: subsetOf(record),
    workload: filled(context.workload),
    http_route: filled(record.httpRoute),
    mtls: record.mtls ? "mutual" : "none",
    peer_principal: record.peer?.principal,
    trace_id: filled(record.traceId),
    span_id: filled(record.spanId),
    grpc_status: record.grpcStatus < 0 ? undefined : record.grpcStatus,
    grpc_message: record.grpcStatus < 0 ? undefined : responseHeader(record, "grpc-message"),
    policy: filled(record.policy),
    snapshot: record.snapshot,
  });
}

function attemptEntries(attempts: readonly AttemptRecord[]): AttemptEntry[] | undefined {
  if (attempts.length === 0) return undefined;
  return attempts.map((attempt) => ({
    endpoint: attempt.endpoint.endpoint.id,
    ms: Math.max(0, Math.round(attempt.endedAt - attempt.startedAt)),
    result: attemptResult(attempt),
  }));
}

const PARTS = ["mesh", "fault", "queue", "dns", "connect", "tls", "wait", "body", "backoff", "stall"] as const;

function timingOf(ledger: TimeLedger): Record<string, number> | undefined {
  let found: Record<string, number> | undefined;
  for (const part of PARTS) {
    const ms = Math.round(ledger[`${part}Ms`] * 1_000) / 1_000;
    if (ms === 0) continue;
    found ??= {};
    found[part] = ms;
  }
  return found;
}

function rounded(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms * 1_000) / 1_000;
}

type Loose<Type> = { [Key in keyof Type]: Type[Key] | undefined };

function defined(entry: Loose<Required<AccessLogEntry>>): AccessLogEntry {
  const found: Record<string, unknown> = {};
  for (const key in entry) {
    const value = entry[key as keyof AccessLogEntry];
    if (value !== undefined) found[key] = value;
  }
  return found as unknown as AccessLogEntry;
}
