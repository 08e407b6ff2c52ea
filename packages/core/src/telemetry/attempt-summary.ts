/** One attempt of a `CallRecord`: what is told of it, without the errors and connections that the attempt holds. */

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

/** What a record reads of an attempt. */
export type AttemptFacts = Pick<
  Attempt,
  | "number"
  | "endpoint"
  | "headers"
  | "startedAt"
  | "sentAt"
  | "headAt"
  | "endedAt"
  | "status"
  | "grpcStatus"
  | "sentMessages"
  | "receivedMessages"
  | "error"
  | "phase"
  | "reused"
  | "wire"
>;

/** A copy of it, which keeps no error of anybody's alive. */
export function withoutError(attempt: AttemptFacts): AttemptFacts {
  const { number, endpoint, headers, startedAt, sentAt, headAt, endedAt, status, grpcStatus } = attempt;
  const { sentMessages, receivedMessages, phase, reused, wire } = attempt;
  return {
    ...{ number, endpoint, headers, startedAt, sentAt, headAt, endedAt, status, grpcStatus },
    ...{ sentMessages, receivedMessages, phase, reused, wire, error: undefined },
  };
}

export class AttemptSummary implements AttemptRecord {
  readonly number: number;
  readonly endpoint: EndpointState;
  readonly startedAt: number;
  readonly sentAt: number;
  readonly headAt: number;
  endedAt: number;
  readonly status: number;
  readonly grpcStatus: number;
  readonly code: MeshErrorCode | "";
  readonly outcome: string;
  readonly reused: boolean;
  stallMs = 0;
  readonly unconnected: boolean;
  readonly wire: Wire | undefined;

  constructor(attempt: AttemptFacts) {
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
  }

  get ledger(): TimeLedger {
    return attemptLedger(this);
  }
}

function outcomeOf({ error, status, grpcStatus, phase }: AttemptFacts): string {
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
