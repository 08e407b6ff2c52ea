/** The last calls of this process with the story of each: who was tried, what came of it, what the mesh itself cost. */

import { wouldView } from "../rehearsal/would.js";
import type { Engine } from "../stack/engine.js";
import type { CallRecord } from "../telemetry/call-record.js";
import type { AttemptRecord } from "../telemetry/outcome-record.js";
import { slowness } from "../telemetry/server-timing.js";
import type { AttemptView, RequestsView, RequestView } from "./views.js";

/** @param limit newest first; bounded by what is kept */
export function requestsView({ recorder, mirrors, clock }: Engine, limit?: number): RequestsView {
  const now = clock.now();
  return {
    requests: recorder.calls(limit).map((record) => requestView(record, now)),
    mirrors: mirrors.recorder.calls(limit).map((record) => requestView(record, now)),
  };
}

export function requestView(record: CallRecord, now: number): RequestView {
  const { would, attempts, faultMs, ledger } = record;
  const first = attempts[0];
  return {
    agoMs: now - record.endedAt,
    method: record.method,
    authority: record.authority,
    path: record.path,
    route: record.route?.name ?? "",
    cluster: record.cluster?.config.name ?? "",
    status: record.status,
    error: record.code,
    message: record.message,
    durationMs: record.endedAt - record.startedAt,
    meshUs: first === undefined ? 0 : Math.max(0, first.startedAt - record.startedAt - faultMs) * 1_000,
    faultMs,
    ledger,
    slow: slowness(ledger),
    noRetry: record.noRetry,
    ...(record.fallback !== "" && { fallback: record.fallback }),
    replayed: record.replayed,
    attempts: attempts.map(attemptView),
    would: would === undefined ? null : wouldView(would),
  };
}

function attemptView(attempt: AttemptRecord): AttemptView {
  const { endpoint } = attempt.endpoint;
  return {
    number: attempt.number,
    endpoint: endpoint.id,
    version: endpoint.labels["version"] ?? "",
    outcome: attempt.outcome,
    status: attempt.status,
    durationMs: Math.max(0, attempt.endedAt - attempt.startedAt),
  };
}
