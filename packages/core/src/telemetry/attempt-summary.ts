/**
 * One attempt of a `CallRecord`: a view of the attempt while all goes well, and of a copy without its error else. A copy of each would
 * be the larger part of what a call's metrics cost.
 */

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
  stallMs = 0;
  readonly code: MeshErrorCode | "" = "";
  readonly unconnected: boolean = false;
  #of: AttemptFacts;
  /** Of its error; empty: it has none. */
  readonly #failed: string = "";
  /** 0: as the attempt has it. */
  #endedAt = 0;

  constructor(attempt: AttemptFacts) {
    const { error } = attempt;
    this.#of = attempt;
    if (error === undefined) return;
    this.code = error instanceof MeshError ? error.code : "";
    this.unconnected = wasUnconnected(error);
    this.#failed = outcomeOf(attempt);
    this.letGo();
  }

  /** Keeps what it shows, and not the attempt with the call that it belongs to. */
  letGo(): void {
    this.#of = withoutError(this.#of);
  }

  get number(): number {
    return this.#of.number;
  }

  get endpoint(): EndpointState {
    return this.#of.endpoint;
  }

  get startedAt(): number {
    return this.#of.startedAt;
  }

  get sentAt(): number {
    return this.#of.sentAt;
  }

  get headAt(): number {
    return this.#of.headAt;
  }

  get endedAt(): number {
    const { endedAt, headAt, startedAt } = this.#of;
    return this.#endedAt || endedAt || headAt || startedAt;
  }

  set endedAt(at: number) {
    this.#endedAt = at;
  }

  get status(): number {
    return this.#of.status;
  }

  get grpcStatus(): number {
    return this.#of.grpcStatus;
  }

  get outcome(): string {
    return this.#failed || outcomeOf(this.#of);
  }

  get reused(): boolean {
    return this.#of.reused;
  }

  get wire(): Wire | undefined {
    return this.#of.wire;
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
