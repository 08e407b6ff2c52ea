/**
 * A call of gRPC in the mesh: to grpc-js's client the call of a channel, to the engine an exchange. Its attempts run on
 * grpc-js's own channels to the endpoints that the engine picks.
 */

import { type Attempt, Call, type Exchange, type LocalReply } from "@inmesh/core";
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
  StatusObject,
} from "./grpc-call.js";
import type { GrpcModule } from "./grpc-module.js";
import { toHeaders } from "./headers.js";
import type { MeshChannel } from "./mesh-channel.js";
import { RequestMessages } from "./request-messages.js";

/** Bits of `propagateFlags`. */
const PROPAGATE_DEADLINE = 1;
const PROPAGATE_CANCELLATION = 8;
const PROPAGATE_DEFAULTS = 0xffff;
const CANCELLED = 1;

/** As of HTTP: Linkerd's figure, unless policy says another. In bytes. */
const REPLAY_CAP_BYTES = 64 * 1024;

export class MeshCall implements GrpcCall, Exchange, AttemptOwner {
  readonly grpc: GrpcModule;
  readonly messages = new RequestMessages();
  metadata!: Metadata; // set by start, before any attempt
  reading = false;
  readonly #channel: MeshChannel;
  readonly #asked: CreateCall;
  #call: Call | undefined = undefined;
  #listener: AnswerListener | undefined = undefined;
  #credentials: CallCredentials | undefined = undefined;
  /** The last attempt that was sent; later the one that is answered. */
  #current: AttemptCall | undefined = undefined;
  /** The call without the mesh, where it is none of its business. */
  #plain: GrpcCall | undefined = undefined;
  #ended = false;
  #givenUp: GivenUp | undefined = undefined;
  #leaveParent: (() => void) | undefined = undefined;

  constructor(channel: MeshChannel, asked: CreateCall) {
    this.grpc = channel.grpc;
    this.#channel = channel;
    this.#asked = asked;
  }

  // ---- from grpc-js's client ----

  start(metadata: Metadata, listener: AnswerListener): void {
    const { engine, origin } = this.#channel;
    const [method, deadline, host, parent, flags] = this.#asked;
    this.metadata = metadata.clone();
    this.#listener = listener;
    if (this.#givenUp !== undefined) return this.fail(this.#givenUp);
    const authority = host ?? this.#channel.authority;
    const headers = toHeaders(metadata);
    const call = new GrpcCallOfMesh(this, "POST", origin.scheme, origin.host, origin.port, authority, method, headers);
    call.mayRepeat = metadata.getOptions().idempotentRequest === true;
    this.#call = call;
    let endsAt = deadline instanceof Date ? deadline.getTime() : deadline;
    if (parent !== null) {
      const propagated = flags ?? PROPAGATE_DEFAULTS;
      if ((propagated & PROPAGATE_DEADLINE) !== 0) endsAt = Math.min(endsAt, millisOf(parent.getDeadline()));
      if ((propagated & PROPAGATE_CANCELLATION) !== 0) this.#followParent(parent);
    }
    if (endsAt !== Number.POSITIVE_INFINITY) {
      call.deadlineAt = engine.clock.now() + (endsAt - engine.clock.wallTime());
      call.deadlineInherited = true;
    }
    engine.start(call);
  }

  sendMessageWithContext(context: MessageContext, message: Buffer): void {
    if (this.#plain !== undefined) this.#plain.sendMessageWithContext(context, message);
    else if (this.#ended) context.callback?.();
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
    this.#call?.abort(this.#givenUp);
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
    this.#credentials = credentials;
  }

  // ---- from the engine ----

  send(attempt: Attempt): void {
    this.messages.keep(attempt.call.cluster!.config.policy.replayBytes ?? REPLAY_CAP_BYTES); // an attempt's call has a cluster
    this.#current = new AttemptCall(this, attempt, this.#channel.endpointOf(attempt));
    this.#current.start();
  }

  canReplay(): boolean {
    return this.messages.replayable;
  }

  /** What the caller has still to send goes to one attempt at a time. */
  canHedge(): boolean {
    return this.messages.replayable && this.messages.ended;
  }

  passThrough(): void {
    const child = this.#channel.createPlainCall(this.#asked);
    if (child === undefined) return this.fail(this.#channel.unknown());
    this.prepare(child);
    this.#plain = child;
    child.start(this.metadata, {
      onReceiveMetadata: (metadata) => this.head(metadata),
      onReceiveMessage: (message) => this.message(message),
      onReceiveStatus: (status) => this.end(status),
    });
    if (this.reading) child.startRead();
    this.messages.open(child, () => {});
    this.messages.commit();
  }

  reply({ status }: LocalReply): void {
    const { grpc } = this;
    this.#endSoon(statusOfReply(grpc, status, this.#call?.route?.name ?? ""));
  }

  fail(error: unknown): void {
    this.#endSoon(statusOfError(this.grpc, error, this.#call?.route?.fault));
  }

  // ---- from its attempts ----

  prepare(child: GrpcCall): void {
    if (this.#credentials !== undefined) child.setCredentials(this.#credentials);
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
    this.#listener?.onReceiveStatus(status);
  }

  /** Never within the call of the application that brought it about. */
  #endSoon(status: StatusObject): void {
    if (this.#ended) return;
    this.#close();
    process.nextTick(() => this.#listener?.onReceiveStatus(status));
  }

  #close(): void {
    this.#ended = true;
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
