/**
 * One outcome record as JSON: in GET /outcomes, and in the dumps of the flight recorder. Without query, bodies and headers; texts
 * that came over the wire are cut, so that a dump has a size.
 */

import { ATTEMPT_HEADER } from "../call/mesh-headers.js";
import type { AttemptRecord, OutcomeRecord, TimeLedger } from "../telemetry/outcome-record.js";
import { flagsText } from "../telemetry/response-flags.js";

export interface OutcomesView {
  readonly namespace: string;
  readonly service: string;
  readonly instance: string;
  /** Newest first. */
  readonly outcomes: readonly OutcomeView[];
}

export interface OutcomeView {
  readonly direction: "outbound" | "inbound";
  /** Unix ms at its start. */
  readonly wallMs: number;
  readonly durationMs: number;
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  /** Without query. */
  readonly path: string;
  readonly protocol: string;
  /** What the caller got; 0 for none. */
  readonly status: number;
  /** -1 where it is no gRPC. */
  readonly grpcStatus: number;
  /** Envoy's, `-` for none. */
  readonly flags: string;
  readonly details: string;
  /** It ended with a failure, the caller's giving up included. */
  readonly failed: boolean;
  /** Of MeshError; empty. */
  readonly code: string;
  readonly message: string;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly requestId: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Of an inbound one: the span of the call it came by, and which attempt of it, as its headers say; empty, and 0. */
  readonly parentSpanId: string;
  readonly attemptOf: number;
  readonly ledger: TimeLedger;
  readonly attempts: readonly OutcomeAttemptView[];
  /** May be more than are told. */
  readonly attemptCount: number;
  readonly noRetry: string;
  /** Principal of the other side, as its certificate says; empty. */
  readonly peer: string;
  readonly mtls: boolean;
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly httpRoute: string;
  readonly snapshot: number;
  readonly policy: string;
  /** Rule that was followed, and `Kind/ns/name` of it; empty. */
  readonly route: string;
  readonly resource: string;
  readonly cluster: string;
  readonly host: string;
  readonly subset: string;
}

export interface OutcomeAttemptView {
  readonly number: number;
  readonly endpoint: string;
  readonly version: string;
  /** After the start of the call. */
  readonly startMs: number;
  readonly durationMs: number;
  readonly status: number;
  /** Absent where it is no gRPC, and from older processes. */
  readonly grpcStatus?: number;
  readonly code: string;
  readonly outcome: string;
  readonly reused: boolean;
  readonly ledger: TimeLedger;
}

/** In characters. */
const MOST = 512;

export function outcomeView(record: OutcomeRecord): OutcomeView {
  const { direction, wallMs, startedAt, endedAt, route, cluster, code } = record;
  const parent = direction === "inbound" ? (record.requestHeader("traceparent")?.split("-", 4)[2] ?? "") : "";
  const attemptOf = direction === "inbound" ? Number(record.requestHeader(ATTEMPT_HEADER) ?? 0) : 0;
  return {
    ...{ direction, wallMs, durationMs: microseconds(endedAt - startedAt) },
    ...{ method: cut(record.method), scheme: record.scheme, authority: cut(record.authority), path: cut(record.path) },
    ...{ protocol: record.protocol, status: record.status, grpcStatus: record.grpcStatus },
    failed: hasFailed(record),
    flags: flagsText(record.flags),
    ...{ details: cut(record.details), code, message: cut(record.message) },
    ...{ requestBytes: record.requestBytes, responseBytes: record.responseBytes },
    ...{ requestId: cut(record.requestId), traceId: record.traceId, spanId: record.spanId },
    parentSpanId: /^[0-9a-f]{16}$/.test(parent) ? parent : "",
    attemptOf: Number.isSafeInteger(attemptOf) && attemptOf > 0 ? attemptOf : 0,
    ledger: ledgerView(record.ledger),
    attempts: record.attempts.map((attempt) => attemptView(attempt, startedAt)),
    ...{ attemptCount: record.attemptCount, noRetry: record.noRetry },
    ...{ peer: record.peer?.principal ?? "", mtls: record.mtls },
    ...{ localAddress: record.localAddress, remoteAddress: record.remoteAddress },
    ...{ httpRoute: cut(record.httpRoute), snapshot: record.snapshot, policy: record.policy },
    ...{ route: route?.name ?? "", resource: resourceOf(route) },
    ...{ cluster: cluster?.config.name ?? "", host: cluster?.config.host ?? "", subset: cluster?.config.subset ?? "" },
  };
}

/** A status of 500 and above, none at all, a status of gRPC that is no OK, or an error of the mesh. */
export function hasFailed({
  status,
  code,
  grpcStatus,
}: Pick<OutcomeRecord, "status" | "code" | "grpcStatus">): boolean {
  return code !== "" || status === 0 || status >= 500 || grpcStatus > 0;
}

function attemptView(attempt: AttemptRecord, callStartedAt: number): OutcomeAttemptView {
  const { number, endpoint, startedAt, endedAt, status, grpcStatus, code, outcome, reused, ledger } = attempt;
  return {
    ...{ number, endpoint: endpoint.endpoint.id, version: endpoint.endpoint.labels["version"] ?? "" },
    ...{ startMs: microseconds(startedAt - callStartedAt), durationMs: microseconds(endedAt - startedAt) },
    ...{ status, code, outcome, reused, ledger: ledgerView(ledger) },
    ...(grpcStatus >= 0 && { grpcStatus }),
  };
}

/** A copy: records are reused. */
function ledgerView(ledger: TimeLedger): TimeLedger {
  const { meshMs, faultMs, queueMs, dnsMs, connectMs, tlsMs, waitMs, bodyMs, backoffMs, stallMs } = ledger;
  return {
    ...{ meshMs: microseconds(meshMs), faultMs: microseconds(faultMs), queueMs: microseconds(queueMs) },
    ...{ dnsMs: microseconds(dnsMs), connectMs: microseconds(connectMs), tlsMs: microseconds(tlsMs) },
    ...{ waitMs: microseconds(waitMs), bodyMs: microseconds(bodyMs), backoffMs: microseconds(backoffMs) },
    stallMs: microseconds(stallMs),
  };
}

function resourceOf(route: OutcomeRecord["route"]): string {
  if (route?.resource == null) return "";
  const { kind, namespace, name } = route.resource;
  return `${kind}/${namespace}/${name}`;
}

function microseconds(ms: number): number {
  return Math.round(Math.max(0, ms) * 1_000) / 1_000;
}

function cut(text: string): string {
  return text.length <= MOST ? text : `${text.slice(0, MOST)}…`;
}
