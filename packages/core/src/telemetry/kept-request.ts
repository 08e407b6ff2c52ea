/** A request that was served, as the flight recorder keeps it: what its story needs of a record that is filled anew for the next one. */

import type { PeerIdentity } from "@inmesh/model";
import { ATTEMPT_HEADER } from "../call/mesh-headers.js";
import type { MeshErrorCode } from "../errors.js";
import type { AttemptRecord, OutcomeRecord, TimeLedger } from "./outcome-record.js";
import { outcomeLedger } from "./time-ledger.js";

const NO_ATTEMPTS: readonly AttemptRecord[] = [];

export class KeptRequest implements OutcomeRecord {
  readonly wallMs: number;
  readonly startedAt: number;
  readonly readyAt: number;
  readonly headAt: number;
  readonly endedAt: number;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly authority: string;
  readonly scheme: string;
  readonly protocol: string;
  readonly status: number;
  readonly grpcStatus: number;
  readonly flags: number;
  readonly details: string;
  readonly code: MeshErrorCode | "";
  readonly message: string;
  readonly requestMessages: number;
  readonly responseMessages: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly requestId: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean;
  readonly peer: PeerIdentity | undefined;
  readonly peerWorkload: string;
  readonly mtls: boolean;
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly httpRoute: string;
  readonly snapshot: number;
  readonly policy: string;
  readonly stallMs: number;
  /** By these its story is joined with the call that it came by. */
  readonly #traceparent: string | undefined;
  readonly #attempt: string | undefined;

  constructor(record: OutcomeRecord) {
    this.wallMs = record.wallMs;
    this.startedAt = record.startedAt;
    this.readyAt = record.readyAt;
    this.headAt = record.headAt;
    this.endedAt = record.endedAt;
    this.method = record.method;
    this.path = record.path;
    this.query = record.query;
    this.authority = record.authority;
    this.scheme = record.scheme;
    this.protocol = record.protocol;
    this.status = record.status;
    this.grpcStatus = record.grpcStatus;
    this.flags = record.flags;
    this.details = record.details;
    this.code = record.code;
    this.message = record.message;
    this.requestMessages = record.requestMessages;
    this.responseMessages = record.responseMessages;
    this.requestBytes = record.requestBytes;
    this.responseBytes = record.responseBytes;
    this.requestId = record.requestId;
    this.traceId = record.traceId;
    this.spanId = record.spanId;
    this.sampled = record.sampled;
    this.peer = record.peer;
    this.peerWorkload = record.peerWorkload;
    this.mtls = record.mtls;
    this.localAddress = record.localAddress;
    this.remoteAddress = record.remoteAddress;
    this.httpRoute = record.httpRoute;
    this.snapshot = record.snapshot;
    this.policy = record.policy;
    this.stallMs = record.stallMs;
    this.#traceparent = record.requestHeader("traceparent");
    this.#attempt = record.requestHeader(ATTEMPT_HEADER);
  }

  get direction(): "inbound" {
    return "inbound";
  }

  get ledger(): TimeLedger {
    return outcomeLedger(this, []);
  }

  get meshMs(): number {
    return this.ledger.meshMs;
  }

  get attempts(): readonly AttemptRecord[] {
    return NO_ATTEMPTS;
  }

  get attemptCount(): number {
    return 0;
  }

  /** Nothing is injected into what is served. */
  get faultMs(): number {
    return 0;
  }

  get noRetry(): "" {
    return "";
  }

  get span(): undefined {
    return undefined;
  }

  get route(): undefined {
    return undefined;
  }

  get cluster(): undefined {
    return undefined;
  }

  get endpoint(): undefined {
    return undefined;
  }

  get call(): undefined {
    return undefined;
  }

  /** As it is: nothing changes it. */
  keep(): this {
    return this;
  }

  requestHeader(name: string): string | undefined {
    if (name === "traceparent") return this.#traceparent;
    return name === ATTEMPT_HEADER ? this.#attempt : undefined;
  }

  responseHeader(): undefined {
    return undefined;
  }
}
