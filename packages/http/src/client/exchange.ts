/**
 * A caller's half of an HTTP call: sends its attempts, and gives it exactly one answer. Two subclasses speak undici's two
 * handler shapes.
 */

import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import {
  type Attempt,
  type Call,
  type Exchange,
  type LocalReply,
  ledgerSoFar,
  MeshError,
  type MirrorExchange,
  serverTiming,
  TIMING_HEADER,
} from "@inmesh/core";
import { applyEachHeaderOps, setImmediate } from "@inmesh/core/internal";
import { AnswerKeeper } from "./answer-keeper.js";
import type { HttpClient } from "./client.js";
import type { PlainDispatcher, RawHeaders, RequestOptions } from "./handler.js";
import { LocalDelivery } from "./local-delivery.js";
import { grpcReply, hasBody, localReply } from "./local-reply.js";
import { HttpMirror } from "./mirror-exchange.js";
import { ownForm } from "./own-form.js";
import { decodeHeaders, encodeHeaders } from "./raw-headers.js";
import { REPLAY_CAP_BYTES, ReplayBody } from "./replay-body.js";
import { type AttemptOwner, WireAttempt } from "./wire-attempt.js";

export abstract class HttpExchange implements Exchange, AttemptOwner {
  readonly client: HttpClient;
  readonly options: RequestOptions;
  /** Where the request goes when it turns out to be none of the mesh's. */
  readonly plain: PlainDispatcher;
  call!: Call; // set right after construction: each needs the other
  /** The body when it can be sent as often as wanted. */
  readonly #body: unknown;
  readonly #replay: ReplayBody | undefined;
  /** Takes the answer down for when the cluster's breaker is open. */
  #kept: AnswerKeeper | undefined = undefined;
  /** The head of an answer went to the caller. */
  #begun = false;
  /** The caller has heard the end. */
  #done = false;
  #started = false;
  /** The caller itself ended it: its reason is no answer, even if it is an error of ours. */
  #aborted = false;

  constructor(client: HttpClient, options: RequestOptions, plain: PlainDispatcher) {
    this.client = client;
    this.options = options;
    this.plain = plain;
    const { body } = options;
    const once = isReadOnce(body);
    this.#body = once ? undefined : ownForm(body, () => client.undici);
    this.#replay = once ? new ReplayBody(body, { onError: (error) => this.abort(error) }) : undefined;
  }

  // ---- the shape of the caller's handler ----

  /** Hands the caller its means to abort. */
  protected abstract connect(): void;
  protected abstract onHead(status: number, headers: RawHeaders, resume: () => void, text: string): boolean;
  protected abstract onData(chunk: Buffer): boolean;
  protected abstract onEnd(trailers: RawHeaders): void;
  protected abstract onError(error: unknown): void;
  protected abstract onUpgrade(status: number, headers: RawHeaders, socket: Duplex): void;
  protected abstract handOver(): void;
  /** @param attempt on a connection; undefined: the answer comes without one */
  abstract connected(attempt: Attempt | undefined, remoteAddress?: string): void;
  abstract responseStarted(): void;
  abstract bodySent(chunk: unknown): void;
  abstract requestSent(): void;

  // ---- from the dispatcher ----

  start(): void {
    try {
      this.connect();
    } catch (error) {
      this.#end(error);
    }
    if (this.#done) return; // aborted at once
    this.#started = true;
    this.client.engine.start(this.call);
  }

  /** The caller gives up; `reason` comes back to it as it is. */
  abort(reason: unknown): void {
    if (this.#done) return;
    this.#aborted = true;
    if (this.#started && !this.call.ended) this.call.abort(reason);
    else this.#end(reason);
  }

  // ---- from the engine ----

  send(attempt: Attempt): void {
    this.#replay?.keep(this.call.cluster?.config.policy.replayBytes ?? REPLAY_CAP_BYTES);
    this.client.transport.send(new WireAttempt(this, attempt));
  }

  canReplay(): boolean {
    if (this.upgrades) return false;
    return this.#replay === undefined || this.#replay.canReplay();
  }

  /** A body that is read once is read by one attempt at a time. */
  canHedge(): boolean {
    return this.#replay === undefined && !this.upgrades;
  }

  mirror(): MirrorExchange | undefined {
    if (this.upgrades) return undefined;
    return new HttpMirror(this.client.transport, this.options, this.#body, this.#replay?.copy());
  }

  passThrough(): void {
    this.#done = true;
    this.handOver();
  }

  reply({ status, headers, body }: LocalReply): void {
    const { method } = this.call;
    const content = body === undefined || !hasBody(method, status) ? undefined : Buffer.from(body);
    const lines = [...headers];
    if (status !== 204 && status !== 304) lines.push("content-length", String(Buffer.byteLength(body ?? "")));
    this.connected(undefined);
    // A turn of the event loop later, as an answer from the wire: a caller that asks again at once would else keep timers
    // and sockets from their turn, the news of the registry that it waits for included.
    setImmediate(() => {
      if (this.#done) return;
      this.#begun = true;
      new LocalDelivery(this, encodeHeaders(lines), content).start(status, STATUS_CODES[status] ?? "");
    });
  }

  fail(error: unknown): void {
    if (this.#done) return;
    const answers = !this.#aborted && !this.#begun && !this.upgrades && error instanceof MeshError;
    const answer = answers ? (grpcReply(this.call, error) ?? localReply(error)) : undefined;
    if (answer === undefined) return this.#end(error);
    this.#replay?.close(undefined);
    // As Envoy's own answers: the route's headers are on them, and what the answer itself says stays (seen with 1.40).
    this.reply({
      ...answer,
      headers: this.#timed([...applyEachHeaderOps([], this.call.responseOps, this.call), ...answer.headers]),
    });
  }

  // ---- from the attempt on the wire, and from local answers ----

  openBody(): unknown {
    return this.#replay === undefined ? this.#body : this.#replay.open();
  }

  bodyFailedWith(error: unknown): boolean {
    return this.#replay?.failedWith(error) ?? false;
  }

  information(status: number, headers: RawHeaders, text: string): void {
    if (!this.#done) this.onHead(status, headers, nothing, text);
  }

  head(status: number, headers: RawHeaders, resume: () => void, text: string): boolean {
    this.#begun = true;
    if (this.call.cluster?.breakers?.keepsAnswers) this.#kept = AnswerKeeper.of(this.call, status, headers);
    this.#replay?.commit();
    if (this.call.hedge !== undefined) this.connected(this.call.attempt); // perhaps not the one that was sent last
    return this.onHead(status, this.#edited(headers), resume, text);
  }

  /** As `head`, for an answer that already went through the operations of its rule. */
  localHead(status: number, headers: RawHeaders, resume: () => void, text: string): boolean {
    return this.onHead(status, headers, resume, text);
  }

  data(chunk: Buffer): boolean {
    this.#kept?.add(chunk);
    return this.onData(chunk);
  }

  complete(trailers: RawHeaders): void {
    if (this.#done) return;
    this.#done = true;
    this.#replay?.close(undefined);
    this.#kept?.keep(trailers);
    try {
      this.onEnd(trailers);
    } catch (error) {
      this.onError(error);
    }
  }

  upgraded(status: number, headers: RawHeaders, socket: Duplex): void {
    this.#done = true;
    try {
      this.onUpgrade(status, this.#edited(headers), socket);
    } catch (error) {
      this.onError(error);
      socket.destroy();
    }
  }

  /** The caller asked for another protocol on the same connection, or for a tunnel. */
  get upgrades(): boolean {
    return Boolean(this.options.upgrade) || this.options.method === "CONNECT";
  }

  get done(): boolean {
    return this.#done;
  }

  #end(error: unknown): void {
    this.#done = true;
    this.#replay?.close(error);
    this.onError(error);
  }

  #timed(lines: readonly string[]): readonly string[] {
    return this.call.engine?.timing === true ? withTiming(this.call, lines) : lines;
  }

  /** With the header operations of route and destination. */
  #edited(headers: RawHeaders): RawHeaders {
    const { call } = this;
    const { responseOps } = call;
    if (responseOps.length === 0 && !call.engine.timing) return headers;
    const lines = applyEachHeaderOps(decodeHeaders(headers), responseOps, call);
    return encodeHeaders(this.#timed(lines));
  }
}

/** Bodies that are gone once they were read. Blobs and forms are not: undici makes a new stream of them each time. */
function isReadOnce(body: unknown): body is object {
  if (typeof body !== "object" || body === null) return false;
  if (ArrayBuffer.isView(body) || body instanceof ArrayBuffer) return false;
  const kind = (body as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag];
  return kind !== "FormData" && kind !== "Blob" && kind !== "File";
}

/** Where the time went until now, in place of what another mesh further down says of its own. */
function withTiming(call: Call, lines: readonly string[]): readonly string[] {
  const ledger = ledgerSoFar(call, call.ended ? call.endedAt : call.engine.clock.now());
  const others = lines.filter((_, index) => lines[index & ~1]!.toLowerCase() !== TIMING_HEADER); // flat pairs
  return [...others, TIMING_HEADER, serverTiming(ledger)];
}

function nothing(): void {}
