/**
 * A call of gRPC in the mesh: to grpc-js's client the call of a channel, to the engine an exchange. Its attempts run on
 * grpc-js's own channels to the endpoints that the engine picks.
 */

import {
  type Attempt,
  Call,
  type Exchange,
  type LocalReply,
  ledgerSoFar,
  MeshError,
  type MeshErrorCode,
  type MirrorExchange,
  serverTiming,
  TIMING_HEADER,
  type Timer,
} from "@inmesh/core";
import { applyEachHeaderOps } from "@inmesh/core/internal";
import { AttemptCall, type AttemptOwner } from "./attempt-call.js";
import { GivenUp, statusOfError, statusOfReply } from "./call-status.js";
import type {
  AnswerListener,
  AuthContext,
  CallCredentials,
  CreateCall,
  GrpcCall,
  MessageContext,
  Metadata,
  MetadataOptions,
  StatusObject,
} from "./grpc-call.js";
import type { GrpcModule } from "./grpc-module.js";
import { toHeaders, toMetadata } from "./headers.js";
import type { MeshChannel } from "./mesh-channel.js";
import { MirroredCall } from "./mirror-call.js";
import { RequestMessages } from "./request-messages.js";

/** Bits of `propagateFlags`. */
const PROPAGATE_DEADLINE = 1;
const PROPAGATE_CANCELLATION = 8;
const PROPAGATE_DEFAULTS = 0xffff;
const CANCELLED = 1;
const RESOURCE_EXHAUSTED = 8;
/** Of a channel's sizes. */
const UNLIMITED = -1;

/** Nobody was there to send it to: what a call that waits for ready waits out. */
const UNREADY: ReadonlySet<string> = new Set<MeshErrorCode>(["NO_ENDPOINT", "CONNECT_FAILED", "CONFIG_UNAVAILABLE"]);
/** Between its looks, the first and the longest, in ms. */
const READY_MS = 50;
const LONGEST_READY_MS = 1_000;

/** As of HTTP: Linkerd's figure, unless policy says another. In bytes. */
const REPLAY_CAP_BYTES = 64 * 1024;

export class MeshCall implements GrpcCall, Exchange, AttemptOwner {
  readonly grpc: GrpcModule;
  readonly messages = new RequestMessages();
  metadataOptions!: MetadataOptions; // set by start, before any attempt
  reading = false;
  readonly drains = false;
  readonly #channel: MeshChannel;
  readonly #asked: CreateCall;
  #call: Call | undefined = undefined;
  #listener: AnswerListener | undefined = undefined;
  credentials: CallCredentials | undefined = undefined;
  /** The last attempt that was sent; later the one that is answered. */
  #current: AttemptCall | undefined = undefined;
  /** The call without the mesh, where it is none of its business. */
  #plain: GrpcCall | undefined = undefined;
  #ended = false;
  #givenUp: GivenUp | undefined = undefined;
  #leaveParent: (() => void) | undefined = undefined;
  #given: Metadata | undefined = undefined;
  #givenHeaders: readonly string[] = [];
  /** Clock ms. */
  #deadlineAt = Number.POSITIVE_INFINITY;
  /** Of a call that waits for somebody to send it to. */
  #again: (() => void) | undefined = undefined;
  #timer: Timer | undefined = undefined;
  #waited = 0;

  constructor(channel: MeshChannel, asked: CreateCall) {
    this.grpc = channel.grpc;
    this.#channel = channel;
    this.#asked = asked;
  }

  // ---- from grpc-js's client ----

  start(metadata: Metadata, listener: AnswerListener): void {
    const { clock } = this.#channel.engine;
    const [method, deadline, host, parent, flags] = this.#asked;
    this.metadataOptions = metadata.getOptions();
    this.#listener = listener;
    if (this.#givenUp !== undefined) return this.fail(this.#givenUp);
    let endsAt = deadline instanceof Date ? deadline.getTime() : deadline;
    if (parent !== null) {
      const propagated = flags ?? PROPAGATE_DEFAULTS;
      if ((propagated & PROPAGATE_DEADLINE) !== 0) endsAt = Math.min(endsAt, millisOf(parent.getDeadline()));
      if ((propagated & PROPAGATE_CANCELLATION) !== 0) this.#followParent(parent);
    }
    this.#deadlineAt = clock.now() + (endsAt - clock.wallTime());
    const headers = toHeaders(metadata);
    // Only until this returns: then the application may write to it.
    this.#given = this.metadataOptions.waitForReady === true ? undefined : metadata;
    this.#givenHeaders = headers;
    this.#begin(host ?? this.#channel.authority, method, headers);
    this.#given = undefined;
  }

  sendMessageWithContext(context: MessageContext, message: Buffer): void {
    if (this.#plain !== undefined) return this.#plain.sendMessageWithContext(context, message);
    const most = this.#channel.mostSendBytes;
    if (most !== UNLIMITED && message.length > most && !this.#ended) {
      // In grpc-js's words, and before it is anybody's: no endpoint is to blame, and none would take it.
      this.cancelWithStatus(RESOURCE_EXHAUSTED, `Attempted to send message with a size larger than ${most}`);
    }
    if (this.#ended) context.callback?.();
    else this.messages.send(context, message);
  }

  startRead(): void {
    this.reading = true;
    (this.#plain ?? this.#current)?.startRead();
  }

  halfClose(): void {
    if (this.#plain !== undefined) this.#plain.halfClose();
    else this.messages.end();
  }

  cancelWithStatus(code: number, details: string): void {
    if (this.#plain !== undefined) return this.#plain.cancelWithStatus(code, details);
    if (this.#ended || this.#givenUp !== undefined) return;
    this.#givenUp = new GivenUp(code, details);
    if (this.#call !== undefined) this.#call.abort(this.#givenUp);
    else if (this.#listener !== undefined) this.fail(this.#givenUp);
  }

  getPeer(): string {
    return (this.#plain ?? this.#current)?.getPeer() ?? this.#channel.getTarget();
  }

  getCallNumber(): number {
    return this.#plain?.getCallNumber() ?? 0;
  }

  getAuthContext(): AuthContext {
    return (this.#plain ?? this.#current)?.getAuthContext() ?? null;
  }

  setCredentials(credentials: CallCredentials): void {
    this.credentials = credentials;
  }

  // ---- from the engine ----

  send(attempt: Attempt): void {
    this.messages.keep(attempt.call.cluster!.config.policy.replayBytes ?? REPLAY_CAP_BYTES); // an attempt's call has a cluster
    this.#current = new AttemptCall(this, attempt, this.#channel.connectionsOf(attempt));
    this.#current.start();
  }

  canReplay(): boolean {
    return this.messages.replayable;
  }

  /** Attempts read what the caller has sent each at its own pace. */
  canHedge(): boolean {
    return this.messages.replayable;
  }

  mirror(): MirrorExchange {
    const copy = this.messages.copy(REPLAY_CAP_BYTES);
    return new MirroredCall(this.#channel, this.metadataOptions, copy, REPLAY_CAP_BYTES, this.credentials);
  }

  passThrough(): void {
    const child = this.#channel.createPlainCall(this.#asked);
    if (child === undefined) return this.fail(this.#channel.unknown());
    if (this.credentials !== undefined) child.setCredentials(this.credentials);
    this.#plain = child;
    child.start(toMetadata(this.grpc, this.#givenHeaders, this.metadataOptions, 1), {
      onReceiveMetadata: (metadata) => this.head(metadata),
      onReceiveMessage: (message) => this.message(message),
      onReceiveStatus: (status) => this.end(status),
    });
    if (this.reading) child.startRead();
    this.messages.open(child, { sentBytes: 0, sentMessages: 0 });
    this.messages.commit();
  }

  reply({ status }: LocalReply): void {
    const { grpc } = this;
    this.#endSoon(statusOfReply(grpc, status, this.#call?.route?.name ?? ""));
  }

  fail(error: unknown): void {
    if (this.#again !== undefined && this.#waits(error)) return;
    this.#endSoon(statusOfError(this.grpc, error, this.#call?.route?.fault));
  }

  // ---- from its attempts ----

  asGiven(headers: readonly string[]): Metadata | undefined {
    return headers === this.#givenHeaders ? this.#given : undefined;
  }

  answered(attempt: AttemptCall): void {
    this.#current = attempt;
    this.messages.commit();
  }

  head(metadata: Metadata): void {
    if (!this.#ended) this.#listener?.onReceiveMetadata(this.#edited(metadata));
  }

  message(message: unknown): void {
    if (!this.#ended) this.#listener?.onReceiveMessage(message);
  }

  end(status: StatusObject): void {
    if (this.#ended) return;
    this.#close();
    this.#listener?.onReceiveStatus(this.#timed(status));
  }

  #begin(authority: string, method: string, headers: readonly string[]): void {
    const { engine, origin } = this.#channel;
    const call = new GrpcCallOfMesh(this, "POST", origin.scheme, origin.host, origin.port, authority, method, headers);
    const { idempotentRequest, waitForReady } = this.metadataOptions;
    call.mayRepeat = idempotentRequest === true;
    call.deadlineAt = this.#deadlineAt;
    call.deadlineInherited = this.#deadlineAt !== Number.POSITIVE_INFINITY;
    this.#call = call;
    this.#again = waitForReady === true ? () => this.#begin(authority, method, headers) : undefined;
    engine.start(call);
  }

  /** Whether the call waits, as its caller asked it to, instead of failing for want of somebody to send it to. */
  #waits(error: unknown): boolean {
    const again = this.#again;
    if (again === undefined || !(error instanceof MeshError) || !UNREADY.has(error.code)) return false;
    const { clock } = this.#channel.engine;
    if (!this.messages.replayable || clock.now() >= this.#deadlineAt) return false;
    const waitMs = Math.min(READY_MS * 2 ** this.#waited, LONGEST_READY_MS, this.#deadlineAt - clock.now());
    this.#waited += 1;
    this.#call = undefined;
    this.#timer = clock.hold(waitMs, again);
    return true;
  }

  /** Never within the call of the application that brought it about. */
  #endSoon(status: StatusObject): void {
    if (this.#ended) return;
    this.#close();
    process.nextTick(() => this.#listener?.onReceiveStatus(this.#timed(status)));
  }

  /** Where the time of the whole call went, in place of what another mesh further down says of its own. */
  #timed(status: StatusObject): StatusObject {
    const { engine } = this.#channel;
    const call = this.#call;
    if (engine.timing && call !== undefined) {
      const ledger = ledgerSoFar(call, call.ended ? call.endedAt : engine.clock.now());
      status.metadata.set(TIMING_HEADER, serverTiming(ledger));
    }
    return status;
  }

  #close(): void {
    this.#ended = true;
    this.#timer?.cancel();
    this.#leaveParent?.();
    this.messages.close();
  }

  /** With the header operations of route and destination. */
  #edited(metadata: Metadata): Metadata {
    const call = this.#call!; // an answer's head is of a call
    const { responseOps } = call;
    if (responseOps.length === 0) return metadata;
    const lines: string[] = [];
    const flat = metadata.toHttp2Headers();
    for (const [name, values] of Object.entries(flat)) {
      for (const value of [values ?? []].flat()) lines.push(name, String(value));
    }
    const { Metadata } = this.grpc;
    const edited = applyEachHeaderOps(lines, responseOps, call);
    const made: Record<string, string[]> = {};
    for (let index = 0; index < edited.length; index += 2) {
      const name = edited[index]!.toLowerCase(); // flat pairs
      made[name] ??= [];
      made[name].push(edited[index + 1]!);
    }
    return Metadata.fromHttp2Headers(made);
  }

  #followParent(parent: NonNullable<CreateCall[3]>): void {
    const cancelled = (): void => this.cancelWithStatus(CANCELLED, "Cancelled by parent call");
    parent.on("cancelled", cancelled);
    this.#leaveParent = () => void parent.removeListener("cancelled", cancelled);
  }
}

/** Its method is POST whatever it does: only the caller knows what may be repeated. */
class GrpcCallOfMesh extends Call {
  mayRepeat = false;

  override get idempotent(): boolean {
    return this.mayRepeat || super.idempotent;
  }
}

function millisOf(deadline: Date | number): number {
  return deadline instanceof Date ? deadline.getTime() : deadline;
}
