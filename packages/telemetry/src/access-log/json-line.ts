/**
 * `JSON.stringify(entryOf(record))` with its end, at a third of its price: what a request pays for its line. A test compares
 * the two over random records.
 */

import type { AttemptRecord, OutcomeRecord, TimeLedger } from "@inmesh/core";
import {
  attemptResult,
  capped,
  durationMs,
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

/** Printable ASCII but for `"` and `\`: written as it is. */
const PLAIN = /^[ !#-[\]-~]*$/;

function quoted(value: string): string {
  return PLAIN.test(value) ? `"${value}"` : JSON.stringify(value);
}

/** Left out where it is not there. `key` with its comma and colon. */
function maybe(key: string, value: string | undefined): string {
  return value === undefined || value === "" ? "" : key + quoted(value);
}

function maybeNumber(key: string, value: number | undefined): string {
  return value === undefined ? "" : key + value;
}

export function jsonLine(record: OutcomeRecord, context: LineContext): string {
  const outbound = record.direction === "outbound";
  const ms = durationMs(record);
  const { attemptCount, grpcStatus, localAddress } = record;
  const { ledger } = record;
  const ttfb = firstByteMs(record, ledger);
  return (
    '{"start_time":"' +
    isoTime(record.wallMs) +
    (outbound ? '","direction":"outbound","method":' : '","direction":"inbound","method":') +
    quoted(capped(record.method)) +
    ',"path":' +
    quoted(pathOf(record, context.query)) +
    maybe(',"protocol":', record.protocol) +
    ',"response_code":' +
    record.status +
    ',"response_flags":"' +
    flagsOf(record) +
    '"' +
    maybe(',"response_code_details":', record.details) +
    maybe(',"upstream_transport_failure_reason":', transportFailure(record)) +
    ',"bytes_received":' +
    record.requestBytes +
    ',"bytes_sent":' +
    record.responseBytes +
    ',"duration":' +
    Math.floor(ms) +
    maybeNumber(',"upstream_service_time":', upstreamServiceMs(record, ledger)) +
    maybe(',"x_forwarded_for":', requestHeader(record, "x-forwarded-for")) +
    maybe(',"user_agent":', requestHeader(record, "user-agent")) +
    maybe(',"request_id":', capped(record.requestId)) +
    ',"authority":' +
    quoted(capped(record.authority)) +
    maybe(',"upstream_host":', upstreamHost(record)) +
    maybe(',"upstream_cluster":', upstreamCluster(record)) +
    maybe(outbound ? ',"upstream_local_address":' : ',"downstream_local_address":', localAddress) +
    (outbound ? "" : maybe(',"downstream_remote_address":', record.remoteAddress)) +
    maybe(',"requested_server_name":', serverName(record)) +
    maybe(',"route_name":', routeName(record)) +
    ',"duration_us":' +
    Math.round(ms * 1_000) +
    (ttfb === undefined ? "" : `,"ttfb_ms":${Math.round(ttfb * 1_000) / 1_000}`) +
    timing(ledger) +
    (outbound ? `,"attempts":${attemptCount}` : "") +
    (attemptCount > 1 || record.code !== "" ? attemptLog(record.attempts) : "") +
    maybe(',"no_retry":', record.noRetry) +
    maybe(',"code":', record.code) +
    maybe(',"service":', serviceOf(record, context.service)) +
    maybe(',"subset":', subsetOf(record)) +
    maybe(',"workload":', context.workload) +
    maybe(',"http_route":', record.httpRoute) +
    (record.mtls ? ',"mtls":"mutual"' : ',"mtls":"none"') +
    maybe(',"peer_principal":', record.peer?.principal) +
    maybe(',"trace_id":', record.traceId) +
    maybe(',"span_id":', record.spanId) +
    (grpcStatus < 0
      ? ""
      : `,"grpc_status":${grpcStatus}${maybe(',"grpc_message":', responseHeader(record, "grpc-message"))}`) +
    maybe(',"policy":', record.policy) +
    ',"snapshot":' +
    record.snapshot +
    "}\n"
  );
}

function timing({ meshMs, faultMs, queueMs, dnsMs, connectMs, tlsMs, waitMs, bodyMs, backoffMs, stallMs }: TimeLedger) {
  const parts =
    part(',"mesh":', meshMs) +
    part(',"fault":', faultMs) +
    part(',"queue":', queueMs) +
    part(',"dns":', dnsMs) +
    part(',"connect":', connectMs) +
    part(',"tls":', tlsMs) +
    part(',"wait":', waitMs) +
    part(',"body":', bodyMs) +
    part(',"backoff":', backoffMs) +
    part(',"stall":', stallMs);
  return parts === "" ? "" : `,"timing":{${parts.slice(1)}}`;
}

function part(key: string, ms: number): string {
  const shown = ms === 0 ? 0 : Math.round(ms * 1_000) / 1_000;
  return shown === 0 ? "" : key + shown;
}

function attemptLog(attempts: readonly AttemptRecord[]): string {
  if (attempts.length === 0) return "";
  const items = attempts.map(
    (attempt) =>
      `{"endpoint":${quoted(attempt.endpoint.endpoint.id)},"ms":${Math.max(0, Math.round(attempt.endedAt - attempt.startedAt))},"result":${quoted(attemptResult(attempt))}}`,
  );
  return `,"attempt_log":[${items.join(",")}]`;
}
