/**
 * One attempt on the wire: undici's request options and handler in one object. Reports to the engine's `Attempt` and,
 * when the caller is to get this answer, hands it on as it comes.
 */

import type { Duplex } from "node:stream";
import type { Attempt, Timer } from "@inmesh/core";
import { errorCode, NOT_PROCESSED_HEADER, WORKLOAD_HEADER } from "@inmesh/core/internal";
import type { Connection } from "./client-connection.js";
import type { RawHeaders, RequestOptions } from "./handler.js";
import { FORWARDED } from "./mark.js";
import { rawHeader, withoutRawHeader } from "./raw-headers.js";
import { SocketTunnel } from "./socket-tunnel.js";

/** An answer that nobody gets is read to its end up to this size and time, so that its connection can be used again (pitfalls R4). */
const DRAIN_BYTES = 64 * 1024;
const DRAIN_MS = 100;

/** The lowest status of a refusal that says that the application has not seen the request. */
const TOO_MANY_REQUESTS = 429;

/** The request itself is at fault, or a limit of the caller's own process was met: as without a mesh, the caller hears that. */
const CALLERS_OWN = new Set([
  "UND_ERR_INVALID_ARG",
  "UND_ERR_NOT_SUPPORTED",
  "UND_ERR_REQ_CONTENT_LENGTH_MISMATCH",
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_BODY_TIMEOUT",
  "UND_ERR_HEADERS_OVERFLOW", // Node's --max-http-header-size; another attempt would get the same headers
]);

/** Whose attempt it is. */
export interface AttemptOwner {
  readonly options: RequestOptions;
  canReplay(): boolean;
  openBody(): unknown;
  /** Whether the request's own body is what went wrong. */
  bodyFailedWith(error: unknown): boolean;
  /** It is on a connection. @param remoteAddress where its endpoint is a name */
  connected(attempt: Attempt, remoteAddress: string | undefined): void;
  responseStarted(): void;
  information(status: number, headers: RawHeaders, text: string): void;
  head(status: number, headers: RawHeaders, resume: () => void, text: string): boolean;
  data(chunk: Buffer): boolean;
  complete(trailers: RawHeaders): void;
  upgraded(status: number, headers: RawHeaders, socket: Duplex): void;
  bodySent(chunk: unknown): void;
  requestSent(): void;
}

export class WireAttempt {
  readonly attempt: Attempt;
  /** It says who this process is: see `introduce`. */
  introduces = false;
  /** For the Host header. */
  readonly authority: string;
  readonly #exchange: AttemptOwner;
  /** Set by the client that sends it. */
  connection: Connection | undefined = undefined;
  #abort: ((reason: Error) => void) | undefined = undefined;
  /** Bytes still drained of an answer thrown away; -1 while the answer is wanted. */
  #drain = -1;
  #drainTimer: Timer | undefined = undefined;

  // Request options, by undici's names.
  readonly path: string;
  readonly method: string;
  headers: readonly string[];
  readonly body: unknown;
  readonly upgrade: string | null;
  readonly idempotent: boolean | undefined;
  readonly blocking: boolean | undefined;
  readonly reset: boolean | null;
  readonly headersTimeout: number | null;
  readonly bodyTimeout: number | null;
  readonly expectContinue: boolean;
  /** Spares undici to work it out of the Host header; plain connections have no use for it. */
  readonly servername: string;
  readonly typeOfService: number | undefined;
  /** See `RequestOptions`. */
  readonly requestTrailers: RequestOptions["requestTrailers"];
  declare readonly [FORWARDED]: true;

  static {
    // The same for all of them, and not worth a field each.
    Object.assign(WireAttempt.prototype, {
      [FORWARDED]: true,
      query: undefined,
      throwOnError: undefined,
      maxRedirections: undefined,
    });
  }

  constructor(exchange: AttemptOwner, attempt: Attempt) {
    const { call } = attempt;
    const { options } = exchange;
    this.#exchange = exchange;
    this.attempt = attempt;
    this.path = call.path;
    this.method = call.method;
    this.headers = attempt.headers;
    this.authority = attempt.authority;
    this.body = exchange.openBody();
    this.upgrade = typeof options.upgrade === "string" ? options.upgrade : null;
    this.idempotent = options.idempotent;
    this.blocking = options.blocking;
    this.reset = options.reset ?? null;
    this.headersTimeout = options.headersTimeout ?? null;
    this.bodyTimeout = options.bodyTimeout ?? null;
    this.expectContinue = options.expectContinue ?? false;
    this.servername = call.host;
    this.requestTrailers = options.requestTrailers;
    this.typeOfService = options.typeOfService ?? undefined;
  }

  /** Whether it is sent again when its connection turns out to be closed. */
  get mayReplay(): boolean {
    return this.attempt.call.idempotent && this.#exchange.canReplay();
  }

  /** Said by the pool when its clients write another one by themselves. undici puts it first wherever it stands. */
  writeHost(): void {
    this.headers = ["host", this.authority, ...this.headers];
  }

  /** To a server of the mesh, by the first request on its connection. @param workload as `WORKLOAD_HEADER` has it */
  introduce(workload: string): void {
    this.headers = [...this.headers, WORKLOAD_HEADER, workload];
    this.introduces = true;
  }

  onConnect(abort: (reason: Error) => void): void {
    // Thrown, not aborted: the request leaves the queue and the connection stays as good as it is.
    if (this.attempt.phase === "settled") throw new Error("the attempt was cancelled before it started");
    const refusal = this.attempt.call.cluster?.limits.refusal(this.attempt);
    if (refusal !== undefined) {
      this.attempt.fail(refusal);
      throw refusal; // as above
    }
    this.#abort = abort;
    const { connection, attempt } = this;
    if (this.introduces && connection !== undefined) connection.introduced = true;
    attempt.started(connection?.use() ?? false, abort, connection?.wire);
    if (connection?.secured !== undefined && !attempt.reused) attempt.showed = connection.secured.showed;
    this.#exchange.connected(this.attempt, this.connection?.remoteAddress);
  }

  onResponseStarted(): void {
    if (this.attempt.phase !== "settled") this.#exchange.responseStarted();
  }

  onHeaders(status: number, headers: RawHeaders, resume: () => void, statusText: string): boolean {
    const { attempt } = this;
    if (status < 200) {
      if (attempt.phase === "settled") return true;
      if (status === 101 && this.#exchange.options.endsAt101 === true) this.#endAt101(headers, statusText);
      else this.#exchange.information(status, headers, statusText);
      return true;
    }
    if (!attempt.head(status, (name) => rawHeader(headers, name))) {
      this.#discard(headers);
      return true;
    }
    try {
      return this.#exchange.head(status, forApplication(status, headers), resume, statusText);
    } catch (error) {
      attempt.call.abort(error);
      return true;
    }
  }

  onData(chunk: Buffer): boolean {
    if (this.#drain >= 0) {
      this.#drain -= chunk.length;
      if (this.#drain < 0) this.#cut();
      return true;
    }
    this.attempt.receivedBytes += chunk.length;
    try {
      return this.#exchange.data(chunk);
    } catch (error) {
      this.attempt.call.abort(error);
      return true;
    }
  }

  onComplete(trailers: RawHeaders): void {
    this.#drainTimer?.cancel();
    if (this.#drain >= 0) return;
    if (trailers.length > 0) this.attempt.trailer = (name) => rawHeader(trailers, name);
    this.attempt.complete();
    this.#exchange.complete(trailers);
  }

  onUpgrade(status: number, headers: RawHeaders, socket: Duplex): void {
    if (!this.attempt.head(status, (name) => rawHeader(headers, name))) {
      socket.destroy();
      return;
    }
    // What follows is the caller's conversation: no timeout of the route's and no retry applies to it.
    this.attempt.tunnel = new SocketTunnel(socket);
    this.attempt.complete();
    this.#exchange.upgraded(status, headers, socket);
  }

  onBodySent(chunk: unknown): void {
    this.attempt.sentBytes += lengthOf(chunk);
    if (this.attempt.phase !== "settled") this.#exchange.bodySent(chunk);
  }

  onRequestSent(): void {
    if (this.attempt.phase !== "settled") this.#exchange.requestSent();
  }

  onError(error: unknown): void {
    this.#drainTimer?.cancel();
    const { attempt } = this;
    if (attempt.phase === "settled") return;
    if (this.#exchange.bodyFailedWith(error) || CALLERS_OWN.has(errorCode(error))) attempt.call.abort(error);
    else attempt.fail(error);
  }

  /** @param leaving the endpoint did nothing with it because it closes the connection */
  refused(error: Error, leaving: boolean): void {
    this.#drainTimer?.cancel();
    this.attempt.refuse(error, leaving);
  }

  /** Nothing of HTTP can follow on this connection. */
  #endAt101(headers: RawHeaders, statusText: string): void {
    if (this.attempt.head(101, (name) => rawHeader(headers, name))) {
      this.attempt.complete();
      this.#exchange.head(101, headers, () => {}, statusText);
      this.#exchange.complete([]);
    }
    this.#abort?.(new Error("the connection left HTTP by an answer 101"));
  }

  #discard(headers: RawHeaders): void {
    const length = Number(rawHeader(headers, "content-length") ?? 0);
    if (length > DRAIN_BYTES) return this.#cut();
    this.#drain = DRAIN_BYTES;
    this.#drainTimer = this.attempt.call.engine.clock.after(DRAIN_MS, () => this.#cut());
  }

  #cut(): void {
    this.#drainTimer?.cancel();
    this.#drain = 0;
    this.#abort?.(new Error("the answer was thrown away, nobody gets it"));
  }
}

/** Of a piece of a body, in bytes. */
function lengthOf(chunk: unknown): number {
  if (typeof chunk === "string") return Buffer.byteLength(chunk);
  return ArrayBuffer.isView(chunk) || chunk instanceof ArrayBuffer ? chunk.byteLength : 0;
}

/** Refusals say so in a header that only the mesh in front of an application may set. */
function forApplication(status: number, headers: RawHeaders): RawHeaders {
  return status < TOO_MANY_REQUESTS ? headers : withoutRawHeader(headers, NOT_PROCESSED_HEADER);
}
