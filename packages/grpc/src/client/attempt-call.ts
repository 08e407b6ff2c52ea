/** One attempt of a call on its endpoint's channel: tells the engine how it goes, and its owner what is for the caller. */

import type { Attempt } from "@inmesh/core";
import { DirectCall, type StreamListener } from "./direct-call.js";
import type { EndpointChannel, Waiter } from "./endpoint-channel.js";
import type { EndpointConnections, WaitingCall } from "./endpoint-connections.js";
import type { CallCredentials, GrpcCall, Metadata, MetadataOptions, StatusObject } from "./grpc-call.js";
import type { GrpcModule } from "./grpc-module.js";
import { isGrpcHead, readerOf, toMetadata, WireHeaders } from "./headers.js";
import type { StreamCall } from "./inner-channel.js";
import type { MessageReader, RequestMessages } from "./request-messages.js";

/** Whose attempt it is. */
export interface AttemptOwner {
  readonly grpc: GrpcModule;
  readonly messages: RequestMessages;
  readonly metadataOptions: MetadataOptions;
  /** The metadata that these headers were made of, where it is at hand: grpc-js copies it. */
  asGiven(headers: readonly string[]): Metadata | undefined;
  /** The caller asked for a message. */
  readonly reading: boolean;
  /** Answers that nobody gets are let come to their end. */
  readonly drains: boolean;
  /** Of this call alone. */
  readonly credentials: CallCredentials | undefined;
  /** This attempt's answer is the one that the caller gets. */
  answered(attempt: AttemptCall): void;
  head(metadata: Metadata): void;
  message(message: unknown): void;
  end(status: StatusObject): void;
}

/** grpc-js's words for a connection that ended under a call; and for a stream that the server refused. */
const DROPPED = /^Connection dropped$|RST_STREAM|^read E|^write E|ECONNRESET|ETIMEDOUT/;
const REFUSED = "Stream refused by server";
const CANCELLED_THERE = "Call cancelled";
/** Of the time that servers are told they have: whole ones. */
const ROUNDING_MS = 1;
const HTTP_STATUS = /^Received HTTP status code (\d{3})/;
const ERROR_CODE = /\b(E[A-Z]{3,})\b/;
const CANCELLED = 1;
const DEADLINE_EXCEEDED = 4;
const UNAVAILABLE = 14;
const OK = 200;

export class AttemptCall implements StreamListener, Waiter, WaitingCall {
  readonly attempt: Attempt;
  readonly #owner: AttemptOwner;
  readonly #connections: EndpointConnections;
  #endpoint: EndpointChannel;
  /** Counted there. Else it waits for a place, or is over. */
  #isIn: boolean;
  /** It has a stream there. */
  #hasBegun = false;
  readonly most: number;
  /** Undefined until it is started. */
  #child: StreamCall | undefined = undefined;
  #reader: MessageReader | undefined = undefined;
  #waits = false;
  #wanted = true;
  /** A head that is not gRPC's, until its status says what it was. */
  #odd: Metadata | undefined = undefined;
  readonly #abort = (reason: Error): void => this.#cancel(reason.message);

  constructor(owner: AttemptOwner, attempt: Attempt, connections: EndpointConnections) {
    this.#owner = owner;
    this.attempt = attempt;
    this.#connections = connections;
    // An attempt has an endpoint, so its call has a cluster.
    this.most = attempt.call.cluster!.config.policy.connection.maxConcurrentStreams || Number.POSITIVE_INFINITY;
    const entered = connections.enter(this.most);
    this.#isIn = entered !== undefined;
    this.#endpoint = entered ?? connections.first!; // they are full, so there is one
  }

  start(): void {
    this.attempt.abort = this.#abort;
    if (this.#isIn) this.#go();
    else this.#wait();
  }

  /** For a place on any connection. */
  #wait(): void {
    const refusal = this.#connections.wait(this);
    if (refusal === undefined) return;
    this.attempt.fail(refusal);
    this.#cancel(refusal.message);
  }

  placed(channel: EndpointChannel): void {
    this.#isIn = true;
    this.#endpoint = channel;
    this.#go();
  }

  #go(): void {
    if (this.#endpoint.ready) return this.#begin(true);
    this.#waits = true;
    this.#endpoint.await(this);
  }

  /** @param stands there is a connection */
  #begin(stands: boolean): void {
    const { attempt } = this;
    const owner = this.#owner;
    if (stands) {
      // Where connections are limited, it is known only now whether too many are under way.
      const refusal = attempt.call.cluster?.limits.refusal(attempt);
      if (refusal !== undefined) {
        this.#leave();
        attempt.fail(refusal);
        return this.#cancel(refusal.message);
      }
      this.#hasBegun = true;
      this.#endpoint.begun += 1;
      this.#started();
    }
    if (attempt.phase === "settled") return this.#leave();
    const child = this.#direct() ?? this.#byChannel();
    this.#child = child;
    if (owner.reading) child.startRead();
    this.#reader = owner.messages.open(child, attempt);
  }

  /** On a connection that stands, unless grpc-js's layers have something to do with the call. */
  #direct(): StreamCall | undefined {
    const { inner } = this.#endpoint;
    const { corked } = this.#owner.metadataOptions;
    if (inner === undefined || this.#waits || this.#owner.credentials !== undefined || corked === true)
      return undefined;
    const { call, headers, number, authority } = this.attempt;
    return DirectCall.open(inner, new WireHeaders(headers, number), authority, call.path, this);
  }

  #byChannel(): GrpcCall {
    const owner = this.#owner;
    const { call, headers, number, authority } = this.attempt;
    // Deadlines are the engine's: the channel would count them once more, with a timer for each call.
    const child = this.#endpoint.channel.createCall(call.path, Number.POSITIVE_INFINITY, authority, null, 0);
    if (owner.credentials !== undefined) child.setCredentials(owner.credentials);
    const given = number === 1 ? owner.asGiven(headers) : undefined;
    child.start(given ?? toMetadata(owner.grpc, headers, owner.metadataOptions, number), this);
    return child;
  }

  startRead(): void {
    this.#child?.startRead();
  }

  getPeer(): string {
    return this.#child?.getPeer() ?? this.#endpoint.target;
  }

  getAuthContext(): ReturnType<GrpcCall["getAuthContext"]> {
    return this.#child?.getAuthContext() ?? null;
  }

  // ---- from the endpoint's channel ----

  connected(): void {
    this.#waits = false;
    if (this.attempt.phase === "settled") return this.#leave();
    if (this.#connections.isCrowded(this.#endpoint, this.most)) this.#move();
    else this.#begin(true);
  }

  #move(): void {
    this.#leave();
    const channel = this.#connections.enter(this.most);
    if (channel === undefined) this.#wait();
    else this.placed(channel);
  }

  /** What stands beside it does as well; else the channel says what is wrong. */
  failing(): void {
    this.#waits = false;
    if (!this.#goesElsewhere()) this.#begin(false);
  }

  #goesElsewhere(): boolean {
    if (this.attempt.phase === "settled" || !this.#connections.isSpare(this.#endpoint)) return false;
    this.#move();
    return true;
  }

  #started(): void {
    const { attempt } = this;
    if (attempt.sentAt > 0 || attempt.phase === "settled") return;
    const { wire, showed, carried } = this.#endpoint;
    this.#endpoint.carried += 1;
    attempt.started(carried > 0, this.#abort, wire);
    if (carried === 0) attempt.showed = showed;
  }

  unconnected(error: unknown): void {
    this.#waits = false;
    if (this.#goesElsewhere()) return;
    this.#leave();
    if (this.attempt.phase === "settled") return;
    this.attempt.fail(error);
    this.#cancel("there is no connection");
  }

  // ---- from grpc-js ----

  onReceiveMetadata(metadata: Metadata): void {
    if (!this.#wanted) return;
    this.#started();
    if (isGrpcHead(metadata)) this.#head(OK, metadata, undefined);
    else this.#odd = metadata;
  }

  onReceiveMessage(message: unknown): void {
    if (!this.#wanted) return;
    const { attempt } = this;
    attempt.receivedMessages += 1;
    attempt.receivedBytes += (message as Buffer).length;
    this.#owner.message(message);
  }

  /** gRFC A6: sent once more whatever the rule says; what comes then is the endpoint's. */
  onRefused({ details }: StatusObject): void {
    const { attempt } = this;
    this.#leave();
    this.#reader?.close();
    if (!this.#wanted || attempt.phase === "settled") return;
    this.#wanted = false;
    attempt.refuse(new Error(details), !attempt.call.replayed);
  }

  onReceiveStatus(status: StatusObject): void {
    const { attempt } = this;
    this.#leave();
    this.#reader?.close();
    if (!this.#wanted || attempt.phase === "settled") return;
    if (attempt.phase === "answered") return this.#finished(status);
    const peer = this.getPeer();
    if (peer === this.#endpoint.target || peer === "unknown") return this.#unsent(status);
    this.#started();
    if (this.#tooLate(status)) return;
    const { code, details, metadata } = status;
    if (code === UNAVAILABLE && details === REFUSED) return attempt.refuse(new Error(details), false);
    const http = HTTP_STATUS.exec(details);
    if (http !== null && this.#head(Number(http[1]), this.#odd ?? metadata, undefined)) return this.#over(status);
    if (http !== null) return;
    if (!isGrpcHead(metadata)) return attempt.fail(resetOf(status));
    if (this.#head(OK, metadata, status)) this.#over(status); // a head that is all there is
  }

  /** @returns whether the caller gets this answer */
  #head(http: number, metadata: Metadata, status: StatusObject | undefined): boolean {
    if (status !== undefined) this.attempt.grpcStatus = status.code;
    if (!this.attempt.head(http, readerOf(metadata, status))) {
      if (this.#owner.drains) this.#wanted = false;
      else this.#cancel("the answer was thrown away, nobody gets it");
      return false;
    }
    this.#owner.answered(this);
    if (status === undefined && http === OK) this.#owner.head(metadata);
    return true;
  }

  #finished(status: StatusObject): void {
    if (this.#tooLate(status)) return;
    if (status.code === UNAVAILABLE && DROPPED.test(status.details)) return this.attempt.fail(resetOf(status));
    this.#over(status);
  }

  /**
   * Servers end what they were told is over, and may be quicker to see it than the engine's timer, which says it as policy means it.
   * @returns whether it has
   */
  #tooLate({ code, details }: StatusObject): boolean {
    if (code !== DEADLINE_EXCEEDED && details !== CANCELLED_THERE && !DROPPED.test(details)) return false;
    const { attempt } = this;
    const { call } = attempt;
    const now = call.engine.clock.now() + ROUNDING_MS;
    if (now >= call.deadlineAt) call.onTimeout();
    else if (attempt.wheelTick >= 0 && now >= attempt.wheelAt) attempt.onTimeout();
    else return false;
    return true;
  }

  #over(status: StatusObject): void {
    this.#wanted = false;
    this.attempt.trailer = readerOf(status.metadata, status);
    this.attempt.grpcStatus = status.code;
    this.attempt.complete();
    this.#owner.end(status);
  }

  /** It was on no connection: why, the dialler knows best. */
  #unsent({ details }: StatusObject): void {
    const { failure } = this.#endpoint;
    this.#endpoint.close();
    if (this.attempt.phase === "settled") return; // told by that
    this.attempt.fail(failure ?? errorOf(details));
  }

  #cancel(details: string): void {
    if (!this.#wanted) return;
    this.#wanted = false;
    this.#unwait();
    this.#leave();
    this.#reader?.close();
    this.#child?.cancelWithStatus(CANCELLED, details);
  }

  #leave(): void {
    if (!this.#isIn) return;
    this.#isIn = false;
    const begun = this.#hasBegun;
    this.#hasBegun = false;
    this.#connections.left(this.#endpoint, begun);
  }

  #unwait(): void {
    if (!this.#isIn) this.#connections.giveUp(this);
    if (!this.#waits) return;
    this.#waits = false;
    this.#endpoint.leave(this);
  }
}

function resetOf({ details }: StatusObject): Error {
  const error = errorOf(details);
  return "code" in error ? error : Object.assign(error, { code: "ECONNRESET" });
}

/** grpc-js tells of system errors in its details. */
function errorOf(details: string): Error {
  const code = ERROR_CODE.exec(details)?.[1];
  return Object.assign(new Error(details), code !== undefined && { code });
}
