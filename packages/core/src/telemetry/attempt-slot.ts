/** One attempt within an `OutcomeSlot`: numbers and names of it, used again for another one later. */

import { GRPC_STATUS_NAMES } from "@inmesh/model";
import type { Attempt } from "../call/attempt.js";
import type { EndpointState } from "../cluster/endpoint-state.js";
import { MeshError, type MeshErrorCode } from "../errors.js";
import type { AttemptRecord, TimeLedger } from "./outcome-record.js";
import { attemptLedger, wasUnconnected } from "./time-ledger.js";
import type { Wire } from "./wire.js";

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

/** Statuses are few: their texts are made once. */
const ANSWERED = new Map<number, string>();

export class AttemptSlot implements AttemptRecord {
  number = 0;
  endpoint!: EndpointState; // set by fill, before anybody reads it
  startedAt = 0;
  sentAt = 0;
  headAt = 0;
  endedAt = 0;
  status = 0;
  grpcStatus = -1;
  code: MeshErrorCode | "" = "";
  outcome = "";
  reused = false;
  stallMs = 0;
  unconnected = false;
  wire: Wire | undefined = undefined;

  fill(attempt: Attempt): void {
    const { error } = attempt;
    this.number = attempt.number;
    this.endpoint = attempt.endpoint;
    this.startedAt = attempt.startedAt;
    this.sentAt = attempt.sentAt;
    this.headAt = attempt.headAt;
    this.endedAt = attempt.endedAt || attempt.headAt || attempt.startedAt;
    this.status = attempt.status;
    this.grpcStatus = attempt.grpcStatus;
    this.code = error instanceof MeshError ? error.code : "";
    this.outcome = outcomeOf(attempt);
    this.reused = attempt.reused;
    this.wire = attempt.wire;
    this.unconnected = wasUnconnected(error);
    this.stallMs = 0;
  }

  get ledger(): TimeLedger {
    return attemptLedger(this);
  }
}

function outcomeOf({ error, status, grpcStatus, phase }: Attempt): string {
  if (error instanceof MeshError) return OUTCOMES[error.code] ?? "failed";
  if (error !== undefined) return "cancelled";
  if (grpcStatus > 0) return `answered ${GRPC_STATUS_NAMES[grpcStatus] ?? grpcStatus}`;
  if (status > 0) return answered(status);
  return phase === "settled" ? "cancelled" : "under way";
}

function answered(status: number): string {
  let text = ANSWERED.get(status);
  if (text === undefined) {
    text = `answered ${status}`;
    if (status < 1_000) ANSWERED.set(status, text);
  }
  return text;
}
