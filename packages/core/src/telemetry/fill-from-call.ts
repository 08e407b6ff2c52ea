/** What became of a call, written into the one record that everybody reads. Once per call, so nothing here makes objects. */

import type { Attempt } from "../call/attempt.js";
import type { Call } from "../call/call.js";
import { attemptsOf } from "../call/story.js";
import { MESH_ERRORS, MeshError, messageOf } from "../errors.js";
import type { Engine } from "../stack/engine.js";
import type { OutcomeSlot } from "./outcome-slot.js";
import { FLAG, flagBit } from "./response-flags.js";

/** @param record as `claim` gave it */
export function fillFromCall(record: OutcomeSlot, call: Call, { clock, stalls, rehearsal, contexts }: Engine): void {
  const { attempt, cluster, startedAt, endedAt } = call;
  record.direction = "outbound";
  record.wallMs = clock.wallTime() - (endedAt - startedAt);
  record.startedAt = startedAt;
  record.readyAt = call.readyAt;
  record.endedAt = endedAt;
  record.method = call.method;
  record.target = call.path;
  record.authority = call.authority;
  record.scheme = call.scheme;
  record.status = call.status;
  record.headers = attempt === undefined ? call.headers : attempt.headers;
  record.route = call.route;
  record.cluster = cluster;
  record.call = call;
  record.attemptCount = call.attempts;
  record.noRetry = call.noRetry ?? "";
  record.snapshot = call.snapshot?.version ?? 0;
  record.httpRoute = (call.context ?? contexts.current())?.httpRoute ?? "";
  record.faultMs = call.faultMs;
  record.fallback = call.fallback;
  record.replayed = call.replayed;
  record.would = rehearsal.wouldOf(call);
  record.stallMs = stalls.stalledMs(startedAt, endedAt);
  if (call.span !== undefined) record.tracedBy(call.span);
  if (attempt === undefined) {
    record.headAt = call.answered ? endedAt : 0;
    record.requestBytes = 0;
    record.responseBytes = 0;
    record.last = undefined;
  } else fillFromLast(record, attempt);
  if (attempt !== undefined || call.earlier !== undefined) {
    record.keepAttempts(attemptsOf(call));
    if (record.stallMs > 0) {
      for (const each of record.attempts) each.stallMs = stalls.stalledMs(each.startedAt, each.endedAt);
    }
  }
  explain(record, call);
}

function fillFromLast(record: OutcomeSlot, attempt: Attempt): void {
  const { wire } = attempt;
  record.last = attempt;
  record.endpoint = attempt.endpoint;
  record.headAt = attempt.headAt;
  record.requestBytes = attempt.sentBytes;
  record.responseBytes = attempt.receivedBytes;
  record.requestMessages = attempt.sentMessages;
  record.responseMessages = attempt.receivedMessages;
  record.answerHeader = attempt.header;
  record.answerTrailer = attempt.trailer;
  if (wire === undefined) return;
  record.protocol = wire.protocol;
  record.peer = wire.peer;
  record.mtls = wire.mtls;
  record.localAddress = wire.localAddress;
  record.remoteAddress = wire.remoteAddress;
}

/** Flags, details and code: Envoy's words for it (errors.ts has the table). */
function explain(record: OutcomeSlot, call: Call): void {
  const { error, noRetry } = call;
  let flags = call.faultMs > 0 ? FLAG.DI : 0;
  if (noRetry === "attempts_exhausted") flags |= FLAG.URX;
  if (error instanceof MeshError) {
    const { flag, details } = MESH_ERRORS[error.code];
    flags |= flagBit(flag);
    record.code = error.code;
    record.message = error.message;
    record.details = noRetry === "retry_budget" || noRetry === "retry_rate" ? "inmesh_retry_budget" : details;
    record.madeHere(call.answered);
  } else if (error !== undefined) {
    flags |= FLAG.DC;
    record.message = messageOf(error);
    record.details = "downstream_remote_disconnect";
    record.givenUp(error);
  } else if (call.fallback === "response" || call.fallback === "stale") {
    flags |= FLAG.UO;
    record.details = MESH_ERRORS.BREAKER_OPEN.details;
  } else record.details = call.attempt === undefined ? "direct_response" : "via_upstream";
  record.flags = flags;
}
