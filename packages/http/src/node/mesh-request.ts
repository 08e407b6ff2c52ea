/**
 * `http.ClientRequest` for a host of the mesh: the same methods and events, over a call of the engine instead of a
 * socket. The header methods are those of a real OutgoingMessage, which is kept for that alone.
 *
 * More than 400 lines, because ClientRequest has that many members; test/same-as-node.test.ts compares them.
 */

import { AsyncResource } from "node:async_hooks";
import http, { type ClientRequest, type IncomingMessage, OutgoingMessage, STATUS_CODES } from "node:http";
import https from "node:https";
import type { Socket } from "node:net";
import { type Duplex, Readable, Writable } from "node:stream";
import timers from "node:timers";
import type { Attempt, InboundContext } from "@inmesh/core";
import type { Origin } from "@inmesh/core/internal";
import type { Endpoint } from "@inmesh/model";
import type { HttpClient } from "../client/client.js";
import type { OldHandler, RawHeaders, RequestOptions } from "../client/handler.js";
import { handOver } from "./hand-over.js";
import { MeshResponse, RESPONSE_DROPPED } from "./mesh-response.js";
import type { RequestTarget } from "./request-target.js";
import { StubSocket } from "./stub-socket.js";
import { fillHeaders, type HeaderStore, keepsAlive, wireHeaders, withoutKeepAlive } from "./wire-headers.js";

/** The process's own, as core/src/runtime/timers.ts has them: this file is loaded before the engine is wanted. */
const { clearTimeout, setImmediate, setTimeout } = timers;

export interface MeshRequestOptions {
  readonly client: HttpClient;
  readonly origin: Origin;
  readonly target: RequestTarget;
  /** Makes the request as if there were no mesh; without the response listener, which is here already. */
  readonly original: () => ClientRequest;
}

export class MeshRequest extends Writable implements OldHandler {
  readonly #client: HttpClient;
  readonly #origin: Origin;
  readonly #original: () => ClientRequest;
  readonly #store = new OutgoingMessage() as HeaderStore;
  readonly #scope = new AsyncResource("INMESH_CLIENT_REQUEST");
  /** Chunks written before the request started: when the body ends first, it can be sent again as a whole. */
  #early: Buffer[] | undefined = [];
  #body: Readable | undefined;
  #wantsMore: (() => void) | undefined;
  #started = false;
  #abort: ((reason: unknown) => void) | undefined;
  #over = false;
  #socket: StubSocket | undefined;
  /** Nobody sees a socket before the event that tells of it. */
  #hasSocket = false;
  /** For whoever looks at the socket: the connection is yet to come. An agent that keeps connections would have one by now. */
  #connecting: boolean;
  /** It needs to wait for one no longer. */
  #connects = false;
  /** An attempt was on a connection. */
  #wasSent = false;
  /** Of the attempt under way. */
  #endpoint: Endpoint | undefined;
  /** Ends the body: a request is written once it has a connection. */
  #finishing: (() => void) | undefined;
  /** What the Content-Length leaves for the rest of the body; undefined before its first chunk. */
  #room: number | undefined;
  /** What waits for that moment: the end of a request that was given up before. */
  #ending: (() => void) | undefined;
  #timeoutMs = 0;
  #timer: NodeJS.Timeout | undefined;
  /** It failed: what its events set off may be the same request again. Undefined where the inbound request knows already. */
  #afterFailure: InboundContext | undefined;
  #failed = false;
  #unfollow: (() => void) | undefined;
  /** Set when the request turned out to be none of the mesh's. */
  #real: ClientRequest | undefined;

  readonly method: string;
  readonly host: string;
  readonly protocol: string;
  readonly agent: unknown;
  path: string;
  res: IncomingMessage | null = null;
  aborted = false;
  readonly timeout: number | undefined;
  reusedSocket = false;
  shouldKeepAlive: boolean;
  maxHeadersCount: number | null = null;
  chunkedEncoding = false;
  useChunkedEncodingByDefault: boolean;
  sendDate = false;
  headersSent = false;

  static {
    // Node's own stay true for good; the types have no room for an accessor.
    Object.defineProperty(MeshRequest.prototype, "writable", { configurable: true, get: () => true });
    // Node's private note of a timeout set on the socket; null once the request is over, which is what got's tests ask for.
    Object.defineProperty(MeshRequest.prototype, "timeoutCb", { configurable: true, writable: true, value: null });
  }

  constructor({ client, origin, target, original }: MeshRequestOptions) {
    super({ autoDestroy: false, decodeStrings: true });
    const { options, listener, method, path, host, protocol } = target;
    this.#client = client;
    this.#origin = origin;
    this.#original = original;
    this.method = method;
    this.path = path;
    this.host = host;
    this.protocol = protocol;
    this.agent = options.agent || (protocol === "https:" ? https : http).globalAgent; // only looked at
    this.shouldKeepAlive = keepsAlive(options, this.agent);
    this.#connecting = !(this.shouldKeepAlive && origin.connected);
    this.useChunkedEncodingByDefault = !["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "CONNECT"].includes(method);
    this.cork(); // until the body's end, or the next tick, whichever comes first
    fillHeaders(this.#store, target.options, origin.authority);
    if (listener !== undefined) this.once("response", listener);
    this.timeout = options.timeout;
    if (options.timeout !== undefined && options.timeout > 0) this.setTimeout(options.timeout);
    if (options.signal) this.#follow(options.signal);
    process.nextTick(() => {
      if (this.destroyed) return this.#ending?.();
      this.#hasSocket = true;
      if (this.listenerCount("socket") > 0) this.#tellOfSocket();
      else if (this.#connects) this.#tellOfConnection();
    });
  }

  // ---- headers ----

  setHeader(name: string, value: number | string | readonly string[]): this {
    this.#store.setHeader(name, value);
    return this;
  }

  setHeaders(headers: Headers | Map<string, number | string | readonly string[]>): this {
    this.#store.setHeaders(headers);
    return this;
  }

  appendHeader(name: string, value: string | readonly string[]): this {
    this.#store.appendHeader(name, value);
    return this;
  }

  getHeader(name: string): number | string | string[] | undefined {
    return this.#store.getHeader(name);
  }

  getHeaders(): ReturnType<OutgoingMessage["getHeaders"]> {
    return this.#store.getHeaders();
  }

  getHeaderNames(): string[] {
    return this.#store.getHeaderNames();
  }

  getRawHeaderNames(): string[] {
    return this.#store.getRawHeaderNames();
  }

  hasHeader(name: string): boolean {
    return this.#store.hasHeader(name);
  }

  removeHeader(name: string): void {
    this.#store.removeHeader(name);
  }

  /** Checked as Node does, and said to be lost when they are: undici sends none with a request. */
  addTrailers(trailers: Parameters<OutgoingMessage["addTrailers"]>[0]): void {
    this.#store.addTrailers(trailers);
    const { _trailer: lines } = this.#store as unknown as { _trailer: string };
    if (lines !== "") this.#client.notices.once(NO_TRAILERS);
  }

  // ---- sending ----

  flushHeaders(): void {
    this.#seal();
    this.#stream();
  }

  override write(chunk: unknown, encoding?: unknown, done?: unknown): boolean {
    this.#seal();
    if (!this.#started && this.#early !== undefined && this.writableLength === 0)
      process.nextTick(() => this.#stream());
    return super.write(chunk, encoding as BufferEncoding, done as () => void);
  }

  override end(chunk?: unknown, encoding?: unknown, done?: unknown): this {
    this.#seal();
    const given = [chunk, encoding, done];
    const told = this.writableEnded ? -1 : given.findIndex((each) => typeof each === "function");
    // Told of the end alone, as Node's are: a stream's own would hear of a request given up, and before its error.
    if (told >= 0) this.once("finish", given.splice(told, 1)[0] as () => void);
    super.end(given[0], given[1] as BufferEncoding, given[2] as () => void);
    return this;
  }

  override _write(whole: Buffer, _encoding: string, done: () => void): void {
    const chunk = this.#fitting(whole);
    if (this.#early !== undefined) {
      this.#early.push(chunk);
      return done();
    }
    if (this.#body === undefined || this.#body.destroyed || this.#body.push(chunk)) done();
    else this.#wantsMore = done;
  }

  /** What goes beyond the Content-Length is no part of the request: sent, it would be read as the next one on its connection. */
  #fitting(chunk: Buffer): Buffer {
    const room = this.#room ?? Number(this.#store.getHeader("content-length") ?? Number.POSITIVE_INFINITY);
    this.#room = Math.max(room - chunk.length, 0);
    if (!(chunk.length > room)) return chunk; // NaN, too: undici says what is wrong with it
    this.#client.notices.once(TOO_LONG);
    return chunk.subarray(0, room);
  }

  override _final(done: () => void): void {
    const early = this.#early;
    if (early !== undefined) {
      this.#early = undefined;
      const whole = early.length === 0 ? null : early.length === 1 ? early[0]! : Buffer.concat(early);
      this.#start(whole !== null && this.#asksForChunks ? Readable.from([whole]) : whole);
    } else if (this.#body?.destroyed === false) this.#body.push(null);
    if (this.#connecting) this.#finishing = done;
    else done();
  }

  /** Its caller wants no Content-Length: what is a stream gets none. */
  get #asksForChunks(): boolean {
    return (
      /\bchunked\b/i.test(String(this.#store.getHeader("transfer-encoding") ?? "")) && !this.hasHeader("content-length")
    );
  }

  /** From here on headers are as good as sent: setting one throws ERR_HTTP_HEADERS_SENT, as on any OutgoingMessage. */
  #seal(): void {
    if (this.headersSent || this.destroyed) return;
    this.headersSent = true;
    (this.#store as unknown as { _header: string })._header = " ";
  }

  /** The body goes out as it comes. */
  #stream(): void {
    if (this.#started || this.destroyed || this.writableEnded) return;
    const early = this.#early ?? [];
    this.#early = undefined;
    const hasLength = this.hasHeader("content-length") || this.hasHeader("transfer-encoding");
    if (!this.useChunkedEncodingByDefault && !hasLength && early.length === 0 && this.writableLength === 0) {
      this.#start(null);
    } else {
      const more = (): void => {
        const wants = this.#wantsMore;
        this.#wantsMore = undefined;
        wants?.();
      };
      this.#body = new Readable({
        read: more,
        destroy: (_error, done) => {
          more(); // whoever waits to write does not wait for ever
          done(null);
        },
      });
      for (const chunk of early) this.#body.push(chunk);
      this.#start(this.#body);
    }
    this.uncork();
  }

  #start(body: Readable | Buffer | null): void {
    if (this.#started || this.destroyed) return;
    this.#started = true;
    const { headers, upgrade, expectsContinue } = wireHeaders(this.#store);
    if (this.#client.engine.contexts.current() === undefined) {
      this.#afterFailure = this.#client.newScope();
    }
    const options: RequestOptions = {
      origin: `${this.#origin.scheme}://${this.#origin.authority}`,
      method: this.method,
      path: this.path,
      headers,
      body,
      upgrade,
      endsAt101: true,
      reset: this.method === "HEAD" && this.shouldKeepAlive ? false : null, // undici alone would close after a HEAD
      tries: this.#afterFailure?.tries,
    };
    // Nobody waits for a word of the peer's: the engine may try several, and the body is kept for that.
    if (expectsContinue) process.nextTick(() => this.#emit("continue"));
    this.#client.start(this.#origin, options, this, { dispatch: () => this.#handOver(body) });
  }

  /** The mesh did not know the host once it knew anything: Node sends the request, with all of the caller's options. */
  #handOver(body: Readable | Buffer | null): boolean {
    const given = this as unknown as ClientRequest;
    this.#real = handOver({ given, real: this.#original(), store: this.#store, body, timeoutMs: this.#timeoutMs });
    this.#abort = undefined;
    const told = (): void => this.#tellOfConnection();
    this.#real.once("socket", (socket) => void (socket.connecting ? socket.once("connect", told) : told()));
    return true;
  }

  // ---- the call's answer: undici's handler ----

  onConnect(abort: (reason?: unknown) => void): void {
    this.#abort = abort;
  }

  onConnected(attempt: Attempt | undefined, remoteAddress?: string): void {
    if (attempt !== undefined) {
      this.#wasSent = true;
      const { endpoint } = attempt.endpoint;
      this.#endpoint = remoteAddress === undefined ? endpoint : { ...endpoint, address: remoteAddress };
      this.#socket?.leadTo(this.#endpoint);
    }
    this.#origin.connected = this.#wasSent;
    this.#connects = true;
    if (this.#connecting && this.#hasSocket) process.nextTick(() => this.#tellOfConnection());
  }

  onHeaders(status: number, headers: RawHeaders, resume: () => void, text: string): boolean {
    this.#touch();
    if (status < 200 && status !== 101) {
      this.#inform(status, headers, text);
      return true;
    }
    if (status >= 400) this.#failed = true;
    const response = this.#response(status, headers, resume, text);
    response.on("end", () => this.#finish());
    if (!this.#emit("response", response)) response.resume();
    return true;
  }

  onData(chunk: Buffer): boolean {
    this.#touch();
    return this.#run(() => (this.res as MeshResponse).push(chunk));
  }

  onComplete(trailers: RawHeaders): void {
    this.#over = true;
    this.#run(() => (this.res as MeshResponse).finish(trailers));
  }

  onError(error: unknown): void {
    if (!this.#wasSent) this.#origin.connected = false;
    this.#over = true;
    this.#failed = true;
    const failure = asNodeError(error, this.res !== null);
    if (this.res === null) this.#run(() => this.destroy(failure));
    else if (!this.destroyed) this.#run(() => void this.res?.destroy(failure));
  }

  onUpgrade(status: number, headers: RawHeaders, socket: Duplex): void {
    this.#over = true;
    const response = this.#response(status, headers, () => {}, "");
    response.complete = true;
    const event = this.method === "CONNECT" ? "connect" : "upgrade";
    if (!this.#emit(event, response, socket, Buffer.alloc(0))) socket.destroy();
    this.#finish();
  }

  // ---- ending ----

  abort(): void {
    if (this.aborted) return;
    this.aborted = true;
    process.nextTick(() => this.#emit("abort"));
    this.destroy();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    this.#unfollow?.();
    this.uncork();
    this.#body?.destroy();
    if (this.#real !== undefined) {
      this.#real.destroy(error ?? undefined);
      return done(error);
    }
    const { res } = this;
    let told = error;
    if (!this.#over) {
      this.#over = true;
      this.#failed = true;
      this.#abort?.(error ?? connectionReset(res === null ? "socket hang up" : "aborted"));
      if (res === null && error === null && (this.#hasSocket || !this.aborted))
        told = connectionReset("socket hang up");
    }
    // Never within the caller's `destroy`: a socket would not have told of it yet either.
    const end = (): void => {
      // After the request's own error, as when a socket goes: who hears of both takes the first for the reason.
      if (res !== null && !res.destroyed && !res.complete)
        this.prependOnceListener("close", () => res.destroy(connectionReset("aborted")));
      done(told);
    };
    if (!this.#hasSocket) this.#ending = end;
    else if (res?.destroyed) end();
    else if (this.#failed) this.#run(() => process.nextTick(end));
    else process.nextTick(end);
  }

  setTimeout(ms: number, listener?: () => void): this {
    if (listener !== undefined) this.once("timeout", listener);
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timeoutMs = ms;
    if (this.#real !== undefined) this.#real.setTimeout(ms);
    else if (ms > 0 && !this.destroyed) {
      this.#timer = setTimeout(() => this.#timedOut(), ms);
      this.#timer.unref(); // the call itself holds the process
    }
    return this;
  }

  // ---- what there is no equivalent of ----

  get socket(): Socket | null {
    if (!this.#hasSocket) return null;
    if (this.#socket === undefined) {
      this.#socket = new StubSocket(this, this.#connecting);
      if (this.#endpoint !== undefined) this.#socket.leadTo(this.#endpoint);
    }
    return this.#socket as unknown as Socket;
  }

  get connection(): Socket | null {
    return this.socket;
  }

  get finished(): boolean {
    return this.writableEnded;
  }

  setNoDelay(): void {}
  setSocketKeepAlive(): void {}
  onSocket(): void {}

  /** As Node tells it: a kept connection is there at once; of a new one come its name, its connecting, and its use. */
  #tellOfSocket(): void {
    this.#emit("socket", this.socket);
    if (!this.#connecting || this.destroyed) return;
    process.nextTick(() => {
      if (this.destroyed) return;
      this.#run(() => this.#socket?.lookedUp());
      if (this.#connects) this.#tellOfConnection();
    });
    // Without anything to send there is no connection of the mesh's to wait for, and some wait for one before they send.
    setImmediate(() => {
      if (!this.#started) this.#tellOfConnection();
    });
  }

  #tellOfConnection(): void {
    this.#connecting = false;
    if (this.destroyed) return;
    const finishing = this.#finishing;
    this.#finishing = undefined;
    this.#run(() => {
      this.#socket?.connected();
      finishing?.();
    });
  }

  /** The answer is read to its end. */
  #finish(): void {
    this.#over = true;
    this.#run(() => this.destroy());
  }

  [RESPONSE_DROPPED](error: Error | undefined): void {
    const wasOver = this.#over;
    this.#over = true;
    if (!wasOver) this.#abort?.(error ?? connectionReset("aborted"));
    // A reader's error is told by the request first; without one, the answer's end comes before the request's.
    if (wasOver || error !== undefined) process.nextTick(() => this.destroy(wasOver ? undefined : error));
    else setImmediate(() => this.destroy());
  }

  #response(status: number, headers: RawHeaders, resume: () => void, text: string): MeshResponse {
    const lines = this.shouldKeepAlive || this.hasHeader("connection") ? headers : withoutKeepAlive(headers);
    const response = new MeshResponse(this, status, lines, resume, text || (STATUS_CODES[status] ?? ""));
    response.req = this;
    this.res = response;
    return response;
  }

  /** `stream.addAbortSignal` would let go as soon as the request is sent, long before the answer. */
  #follow(signal: AbortSignal): void {
    const abort = (): void => {
      const error = new Error("The operation was aborted", { cause: signal.reason });
      this.destroy(Object.assign(error, { name: "AbortError", code: "ABORT_ERR" }));
    };
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    this.#unfollow = () => signal.removeEventListener("abort", abort);
  }

  #inform(status: number, headers: RawHeaders, text: string): void {
    const { headers: record, rawHeaders } = new MeshResponse(this, status, headers, () => {}, text);
    const version = { httpVersion: "1.1", httpVersionMajor: 1, httpVersionMinor: 1 };
    this.#emit("information", { statusCode: status, statusMessage: text, ...version, headers: record, rawHeaders });
  }

  #timedOut(): void {
    this.#timer?.refresh();
    this.#emit("timeout");
    this.res?.emit("timeout");
    this.#socket?.emit("timeout");
  }

  #touch(): void {
    this.#timer?.refresh();
  }

  /** In the context in which the request was made, whoever's connection it came over (pitfalls O3). */
  #emit(event: string, ...args: unknown[]): boolean {
    return this.#run(() => this.emit(event, ...args));
  }

  #run<Result>(work: () => Result): Result {
    const context = this.#failed ? this.#afterFailure : undefined;
    if (context === undefined) return this.#scope.runInAsyncScope(work);
    return this.#scope.runInAsyncScope(() => this.#client.engine.contexts.run(context, work));
  }
}

const TOO_LONG =
  "a request's body is longer than its Content-Length: the rest is not sent, as a server would not take it for a part of it. Correct the header, or leave it out";

const NO_TRAILERS =
  "trailers of a request are not sent: the mesh's connections carry them with answers only. Send what they say as headers, or in the body";

/** As Node would say it, with the mesh's own words as the cause: libraries look at the code. */
function asNodeError(error: unknown, answerBegun: boolean): Error {
  if (!(error instanceof Error)) return new Error("the request was aborted", { cause: error });
  const { code } = error as { code?: unknown };
  if (code === "UND_ERR_HEADERS_OVERFLOW")
    return Object.assign(new Error("Parse Error: Header overflow", { cause: error }), { code: "HPE_HEADER_OVERFLOW" });
  if (!answerBegun || code !== "RESPONSE_TRUNCATED") return error;
  return Object.assign(connectionReset("aborted"), { cause: error });
}

function connectionReset(message: string): Error {
  return Object.assign(new Error(message), { code: "ECONNRESET" });
}
