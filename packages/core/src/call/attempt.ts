/** One try of a call on one endpoint. It is its own timeout node, and what an adapter reports to. */

import type { Breaker } from "../breaker/breaker.js";
import type { EndpointState } from "../cluster/endpoint-state.js";
import { WheelNode } from "../runtime/timer-wheel.js";
import type { Wire } from "../telemetry/wire.js";
import type { Call } from "./call.js";
import { refusedStream } from "./classify.js";

/** What one attempt came to, for balancers, breakers and statistics. `neutral` judges nobody: cancelled by us or the caller, or late because this process was. */
export type Outcome = "success" | "failure" | "neutral";

/** `queued`: nothing written yet, so nobody can have acted on it. */
/** What runs on a connection that left HTTP: the caller's conversation, by an upgrade or CONNECT. */
export interface Tunnel {
  /** So far, in both directions. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** @param then told once, when it is over, by whom */
  over(then: (by: "caller" | "peer") => void): void;
}

export type Phase = "queued" | "written" | "answered" | "settled";

/** Reads one header of an answer by lower-case name. */
export type HeaderReader = (name: string) => string | undefined;

/**
 * Adapters may report in any order and as often as they like: a settled attempt ignores everything, and only its first
 * head counts.
 */
export class Attempt extends WheelNode {
  readonly call: Call;
  /** 1 for the first. */
  readonly number: number;
  readonly endpoint: EndpointState;
  /** What goes on the wire, flat `[name, value, …]`, without `host`. */
  headers: readonly string[];
  /** What it is addressed to: the call's, or the endpoint's own name where the rule says so. */
  authority: string;
  readonly startedAt: number;
  /** Clock ms at which its first byte was about to be written; 0 before. */
  sentAt = 0;
  /** Clock ms of the answer's head; 0 before. */
  headAt = 0;
  endedAt = 0;
  /** HTTP status of the answer; 0 when none came. */
  status = 0;
  /** HTTP status that the answer amounts to, where policy judges by answers: another one than its own for gRPC. 0 before. */
  meant = 0;
  phase: Phase = "queued";
  /** Something may have reached the peer. While false, even a POST can safely be sent again (pitfalls R1). */
  sent = false;
  /** For a connection, because no further one may be opened: what becomes of it meanwhile is not the endpoint's doing. Written by ClusterLimits only. */
  waits = false;
  /** The connection had served a request before: a reset may mean that the peer had closed it meanwhile. */
  reused = false;
  /** The peer did nothing with it, because it closes the connection (HTTP/2 GOAWAY): nobody's fault, and worth no retry of policy's. */
  leaving = false;
  /**
   * What this process showed itself as on the connection, where it is a new one and the server asked for it: its SPIFFE id, or
   * the file of its certificate. Empty otherwise.
   */
  showed = "";
  /** The connection ended as one does whose server refuses what was shown: worth a look at its log, and no proof. */
  rejected = false;
  /** How long it waited there, in ms; negative clock ms while it does. */
  waitedMs = 0;
  /** Judges the attempt; undefined where policy has none. */
  breaker: Breaker | undefined = undefined;
  /** It finds out for the breaker whether it is well again. */
  probe = false;
  error: unknown = undefined;
  /** The connection it waited for, or went out by; undefined where the adapter does not know it. */
  wire: Wire | undefined = undefined;
  /** Bytes of bodies, as on the wire. Counted by the adapter. */
  sentBytes = 0;
  receivedBytes = 0;
  /** Messages of gRPC, likewise. */
  sentMessages = 0;
  receivedMessages = 0;
  /** Status number of gRPC; -1 before, and where it is no gRPC. Written by the adapter. */
  grpcStatus = -1;
  /** Of the answer's headers, and of what follows its body, for who tells of the call. */
  header: HeaderReader | undefined = undefined;
  trailer: HeaderReader | undefined = undefined;
  /** The connection that the answer gave to the caller; undefined: it did not leave HTTP. Set by the adapter, before it is complete. */
  tunnel: Tunnel | undefined = undefined;
  /** Set by the adapter once the attempt can be cancelled; closes or frees the connection. Dropped when settled. */
  abort: ((reason: Error) => void) | undefined = undefined;

  constructor(call: Call, number: number, endpoint: EndpointState, headers: readonly string[], startedAt: number) {
    super();
    this.call = call;
    this.number = number;
    this.endpoint = endpoint;
    this.headers = headers;
    this.authority = call.authority;
    this.startedAt = startedAt;
  }

  /** The first byte is about to be written. Calls `abort` at once when the attempt was given up while it was queued. */
  started(reused: boolean, abort: (reason: Error) => void, wire?: Wire): void {
    if (this.phase === "settled") return abort(new Error("the attempt was cancelled before it started"));
    this.reused = reused;
    this.sentAt = this.call.engine.clock.now();
    if (wire !== undefined) this.wire = wire;
    this.abort = abort;
    this.sent = true;
    if (this.phase === "queued") this.phase = "written";
  }

  /** A final status line and headers arrived (1xx are not reported). @returns whether the caller is to get this answer */
  head(status: number, header: HeaderReader): boolean {
    if (this.phase === "settled" || this.phase === "answered") return false;
    this.status = status;
    this.header = header;
    this.phase = "answered";
    this.sent = true;
    return this.call.attemptAnswered(this, header);
  }

  /** The answer's body ended as it should. */
  complete(): void {
    if (this.phase === "answered") this.call.attemptCompleted(this);
    else this.fail(new Error("the answer ended without a head"));
  }

  /** The attempt ended without a whole answer. `error` as the transport gave it. */
  fail(error: unknown): void {
    if (this.phase !== "settled") this.call.attemptFailed(this, error);
  }

  /**
   * The peer said that it did nothing with it, so that even a POST may be sent again.
   * @param leaving the peer closes the connection, as it does when it is shut down
   */
  refuse(error: unknown, leaving: boolean): void {
    if (this.phase === "settled") return;
    this.sent = false;
    this.leaving = leaving;
    this.fail(refusedStream(this, error));
  }

  /** perTryTimeout passed, which says nothing of an answer that has begun. */
  override onTimeout(): void {
    if (this.phase !== "settled" && this.phase !== "answered") this.call.attemptTimedOut(this);
  }
}
