/** `ClientHttp2Stream` for a host of the mesh: the same methods and events, over a call of the engine instead of a stream of one connection. */

import { AsyncResource } from "node:async_hooks";
import { type ClientHttp2Stream, constants, type OutgoingHttpHeaders } from "node:http2";
import { Duplex, Readable } from "node:stream";
import timers from "node:timers";
import type { OldHandler, RawHeaders, RequestOptions } from "../client/handler.js";
import type { MeshSession } from "./mesh-session.js";
import { type RequestHead, toHeaders } from "./stream-head.js";

/** The process's own, as core/src/runtime/timers.ts has them. */
const { clearTimeout, setTimeout } = timers;
const { NGHTTP2_NO_ERROR, NGHTTP2_INTERNAL_ERROR, NGHTTP2_CANCEL } = constants;
/** Of a frame with all headers; whether the answer ends with it is not known yet. */
const END_HEADERS = 4;

export interface MeshStreamOptions {
  readonly session: MeshSession;
  readonly id: number;
  readonly head: RequestHead;
  /** As given. */
  readonly sentHeaders: object;
  readonly endStream: boolean;
  readonly waitForTrailers: boolean;
}

export class MeshStream extends Duplex implements OldHandler {
  readonly session: MeshSession;
  readonly id: number;
  readonly sentHeaders: object;
  readonly endAfterHeaders: boolean;
  pending = true;
  aborted = false;
  rstCode: number = NGHTTP2_NO_ERROR;
  readonly #head: RequestHead;
  readonly #waitsForTrailers: boolean;
  /** Undefined until the application has given them. */
  #trailers: OutgoingHttpHeaders | undefined;
  /** The body is at its end but for them. */
  #awaitsTrailers: (() => void) | undefined;
  /** Some attempt has sent them. */
  #trailersTaken = false;
  readonly #scope = new AsyncResource("INMESH_HTTP2_STREAM");
  readonly #body: Readable | undefined;
  #wantsMore: (() => void) | undefined;
  #resume: (() => void) | undefined;
  #abort: ((reason: unknown) => void) | undefined;
  /** The answer came to its end, or never will. */
  #over = false;
  #timeoutMs = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Set when the request turned out to be none of the mesh's. */
  #real: ClientHttp2Stream | undefined;

  constructor({ session, id, head, sentHeaders, endStream, waitForTrailers }: MeshStreamOptions) {
    super({ decodeStrings: true });
    this.session = session;
    this.id = id;
    this.sentHeaders = sentHeaders;
    this.endAfterHeaders = endStream;
    this.#head = head;
    this.#waitsForTrailers = waitForTrailers;
    if (!endStream) {
      this.#body = new Readable({
        read: () => this.#more(),
        destroy: (_, done) => {
          this.#more(); // whoever waits to write does not wait for ever
          done(null);
        },
      });
    } else this.end();
    process.nextTick(() => this.#start());
  }

  get bufferSize(): number {
    return this.writableLength;
  }

  get sentInfoHeaders(): undefined {
    return undefined;
  }

  get sentTrailers(): OutgoingHttpHeaders | undefined {
    return this.#trailers;
  }

  get state(): object {
    return {
      weight: 16,
      sumDependencyWeight: 0,
      localClose: Number(this.writableEnded),
      remoteClose: Number(this.#over),
    };
  }

  close(code: number = NGHTTP2_NO_ERROR, then?: () => void): void {
    if (then !== undefined) this.once("close", then);
    if (this.destroyed) return;
    this.rstCode = code;
    this.destroy(code === NGHTTP2_NO_ERROR || code === NGHTTP2_CANCEL ? undefined : streamError(code));
  }

  priority(): void {}

  /** As Node's: when it was asked for them, once, and without names of HTTP/2's own. */
  sendTrailers(headers: OutgoingHttpHeaders): void {
    if (this.#trailers !== undefined) {
      throw trailersError("ERR_HTTP2_TRAILERS_ALREADY_SENT", "Trailing headers have already been sent");
    }
    const end = this.#awaitsTrailers;
    if (end === undefined) {
      const when = "Trailing headers cannot be sent until after the wantTrailers event is emitted";
      throw trailersError("ERR_HTTP2_TRAILERS_NOT_READY", when);
    }
    const pseudo = Object.keys(headers).find((name) => name.startsWith(":"));
    if (pseudo !== undefined) {
      throw trailersError(
        "ERR_HTTP2_INVALID_PSEUDOHEADER",
        `"${pseudo}" is an invalid pseudoheader or is used incorrectly`,
      );
    }
    this.#trailers = { ...headers };
    this.#awaitsTrailers = undefined;
    end();
  }

  setTimeout(ms: number, listener?: () => void): this {
    if (listener !== undefined) this.once("timeout", listener);
    this.#timeoutMs = ms;
    this.#touch();
    return this;
  }

  // ---- its caller's half ----

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#touch();
    if (this.#body === undefined || this.#body.destroyed || this.#body.push(chunk)) done();
    else this.#wantsMore = done;
  }

  override _final(done: () => void): void {
    const end = (): void => {
      if (this.#body?.destroyed === false) this.#body.push(null);
      done();
    };
    if (!this.#waitsForTrailers || this.endAfterHeaders) return end();
    // What follows the body is known before its end is told: whoever sends it asks then.
    this.#awaitsTrailers = end;
    process.nextTick(() => {
      if (!this.#emit("wantTrailers") && this.#awaitsTrailers !== undefined) this.sendTrailers({});
    });
  }

  override _read(): void {
    this.#resume?.();
    this.#real?.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    const wasOver = this.#over;
    this.#over = true;
    if (!wasOver) {
      if (this.rstCode === NGHTTP2_NO_ERROR) this.rstCode = error === null ? NGHTTP2_CANCEL : NGHTTP2_INTERNAL_ERROR;
      this.#abort?.(error ?? new Error("the stream was closed by the application"));
      this.#real?.close(this.rstCode);
      this.aborted = true;
      this.emit("aborted");
    }
    this.#body?.destroy();
    this.session.forget(this);
    done(error);
  }

  #start(): void {
    if (this.destroyed) return;
    const { client, origin } = this.session;
    const { method, path, authority, lines } = this.#head;
    const options: RequestOptions = {
      origin: `${origin.scheme}://${origin.authority}`,
      method,
      path,
      headers: [...lines, "host", authority ?? this.session.authority],
      body: this.#body ?? null,
      tellsTimeout: true,
      ...(this.#waitsForTrailers && { requestTrailers: () => this.#takeTrailers() }),
    };
    this.pending = false;
    this.#emit("ready");
    this.#scope.runInAsyncScope(() => client.start(origin, options, this, { dispatch: () => this.#handOver() }));
  }

  // ---- the call's answer: undici's handler ----

  onConnect(abort: (reason?: unknown) => void): void {
    this.#abort = abort;
  }

  onHeaders(status: number, headers: RawHeaders, resume: () => void): boolean {
    this.#touch();
    this.#resume = resume;
    const head = toHeaders(headers, status);
    if (status === 100) this.#emit("continue");
    this.#emit(status >= 200 ? "response" : "headers", head, END_HEADERS, headers);
    return true; // as much as there is room for, read or not
  }

  onData(chunk: Buffer): boolean {
    this.#touch();
    return this.#scope.runInAsyncScope(() => this.push(chunk));
  }

  onComplete(trailers: RawHeaders): void {
    this.#over = true;
    const given = Object.keys(this.#trailers ?? {}).length > 0;
    if (given && !this.#trailersTaken) this.session.client.notices.once(NO_TRAILERS);
    if (trailers.length > 0) this.#emit("trailers", toHeaders(trailers), END_HEADERS, trailers);
    this.#ended();
  }

  onError(error: unknown): void {
    if (this.destroyed) return;
    this.#over = true;
    this.rstCode = NGHTTP2_INTERNAL_ERROR;
    this.#scope.runInAsyncScope(() => this.destroy(streamError(this.rstCode, error)));
  }

  /** The answer is whole; what the request would still say, nobody hears. */
  #ended(): void {
    this.#scope.runInAsyncScope(() => {
      this.once("end", () => process.nextTick(() => this.destroy()));
      this.push(null);
    });
  }

  /** The mesh did not know the host once it knew anything: a session without it sends the request. */
  #handOver(): boolean {
    const real = this.session.plain.request(this.sentHeaders as never, {
      endStream: this.endAfterHeaders,
      waitForTrailers: this.#waitsForTrailers,
    });
    this.#real = real;
    real.once("wantTrailers", () => real.sendTrailers(this.#takeTrailers()));
    for (const event of ["response", "headers", "continue", "trailers"]) {
      real.on(event, (...args: unknown[]) => this.#emit(event, ...args));
    }
    real.on("data", (chunk: Buffer) => {
      if (!this.push(chunk)) real.pause();
    });
    real.once("end", () => {
      this.#over = true;
      this.#ended();
    });
    real.once("error", (error) => this.destroy(error));
    this.#body?.pipe(real);
    return true;
  }

  #takeTrailers(): OutgoingHttpHeaders {
    this.#trailersTaken = true;
    return this.#trailers ?? {};
  }

  #more(): void {
    const wants = this.#wantsMore;
    this.#wantsMore = undefined;
    wants?.();
  }

  #touch(): void {
    clearTimeout(this.#timer);
    if (this.#timeoutMs > 0 && !this.destroyed) {
      this.#timer = setTimeout(() => this.#emit("timeout"), this.#timeoutMs).unref();
    }
  }

  /** In the context in which the request was made, whoever's connection it came over (pitfalls O3). */
  #emit(event: string, ...args: unknown[]): boolean {
    return this.#scope.runInAsyncScope(() => this.emit(event, ...args));
  }
}

const NO_TRAILERS =
  "trailers of a request over node:http2 are sent to services that speak HTTP/2 only, and this one is called over HTTP/1.1 (h2UpgradePolicy, or the port's protocol http2, says otherwise). Send what they say as headers, or in the body";

function trailersError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** As Node would say it, with the mesh's own words as the cause. */
function streamError(code: number, cause?: unknown): Error {
  const said = cause instanceof Error ? `: ${cause.message}` : "";
  const error = new Error(`Stream closed with error code ${code}${said}`, { cause });
  return Object.assign(error, { code: "ERR_HTTP2_STREAM_ERROR" });
}
