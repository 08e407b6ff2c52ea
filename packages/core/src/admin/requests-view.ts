/** The last calls of this process with the story of each: who was tried, what came of it, what the mesh itself cost. */

import type { Attempt } from "../call/attempt.js";
import type { Call } from "../call/call.js";
import { attemptsOf } from "../call/story.js";
import { MeshError, type MeshErrorCode } from "../errors.js";
import { type Would, wouldView } from "../rehearsal/would.js";
import type { Engine } from "../stack/engine.js";
import type { AttemptView, RequestsView, RequestView } from "./views.js";

/** @param limit newest first; bounded by what is kept */
export function requestsView({ lastCalls, mirrors, clock, rehearsal }: Engine, limit?: number): RequestsView {
  const now = clock.now();
  return {
    requests: lastCalls.read(limit).map((call) => requestView(call, now, rehearsal.wouldOf(call))),
    mirrors: mirrors.lastCalls.read(limit).map((call) => requestView(call, now)),
  };
}

export function requestView(call: Call, now: number, would?: Would): RequestView {
  const { error } = call;
  const attempts = attemptsOf(call);
  const first = attempts[0];
  const faultMs = Math.max(0, call.fault);
  return {
    agoMs: now - call.endedAt,
    method: call.method,
    authority: call.authority,
    path: withoutQuery(call.path),
    route: call.route?.name ?? "",
    cluster: call.cluster?.config.name ?? "",
    status: call.status,
    error: error instanceof MeshError ? error.code : "",
    message: error instanceof Error ? error.message : error === undefined ? "" : String(error),
    durationMs: call.endedAt - call.startedAt,
    meshUs: first === undefined ? 0 : Math.max(0, first.startedAt - call.startedAt - faultMs) * 1_000,
    faultMs,
    noRetry: call.noRetry ?? "",
    ...(call.fallback !== "" && { fallback: call.fallback }),
    replayed: call.replayed,
    attempts: attempts.map(attemptView),
    would: would === undefined ? null : wouldView(would),
  };
}

/** A query may hold secrets. */
function withoutQuery(path: string): string {
  const query = path.indexOf("?");
  return query < 0 ? path : path.slice(0, query);
}

function attemptView(attempt: Attempt): AttemptView {
  const { endpoint } = attempt.endpoint;
  return {
    number: attempt.number,
    endpoint: endpoint.id,
    version: endpoint.labels["version"] ?? "",
    outcome: outcomeOf(attempt),
    status: attempt.status,
    durationMs: Math.max(0, (attempt.endedAt || attempt.headAt || attempt.startedAt) - attempt.startedAt),
  };
}

const OUTCOMES: { readonly [Code in MeshErrorCode]?: string } = {
  OVERFLOW: "not sent",
  CONNECT_FAILED: "refused",
  WRONG_PEER: "the wrong peer",
  UPSTREAM_RESET: "reset",
  STREAM_REFUSED: "turned away",
  UPSTREAM_PROTOCOL: "no valid HTTP",
  RESPONSE_TRUNCATED: "cut off",
  PER_TRY_TIMEOUT: "timed out",
  TIMEOUT: "timed out",
  DEADLINE_EXCEEDED: "timed out",
};

function outcomeOf({ error, status, phase }: Attempt): string {
  if (error instanceof MeshError) return OUTCOMES[error.code] ?? "failed";
  if (error !== undefined) return "cancelled";
  if (status > 0) return `answered ${status}`;
  return phase === "settled" ? "cancelled" : "under way";
}
