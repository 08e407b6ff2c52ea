/** One request on one HTTP/2 stream: hands the attempt what undici would hand it of an HTTP/1.1 connection. */

import { STATUS_CODES } from "node:http";
import { type ClientHttp2Session, type ClientHttp2Stream, constants } from "node:http2";
import { withLightBind } from "@inmesh/core/internal";
import type { Undici } from "../undici-module.js";
import type { WireAttempt } from "../wire-attempt.js";
import { requestBody, writeChunks } from "./request-body.js";
import { requestHead } from "./request-headers.js";

const { NGHTTP2_CANCEL, NGHTTP2_REFUSED_STREAM } = constants;
/** A body is expected of them: a length of 0 is said. */
const WITH_BODY = new Set(["POST", "PUT", "PATCH"]);
/** Flag of a frame that ends the stream. */
const END_STREAM = 1;

export interface Http2RequestOptions {
  readonly session: ClientHttp2Session;
  readonly scheme: "http" | "https";
  readonly undici: Undici;
  /** Streams above it were not looked at by the peer, which closes the connection; undefined while it does not. */
  readonly lastStreamId: () => number | undefined;
  /** What the connection ended with. */
  readonly connectionError: () => Error | undefined;
  /** The stream is gone, or there was none. */
  readonly over: () => void;
}

type Lines = readonly string[];

export class Http2Request {
  readonly #wire: WireAttempt;
  readonly #options: Http2RequestOptions;
  #stream: ClientHttp2Stream | undefined;
  #answered = false;
  /** The attempt was told of the end. */
  #told = false;
  /** Its place is another's. */
  #released = false;
  #paused = false;
  #wasPaused = false;
  /** The head was all of the answer. */
  #isHead = false;
  /** Bytes that the answer's Content-Length leaves; undefined where it has none. */
  #left: number | undefined;
  #trailers: Lines = [];

  constructor(wire: WireAttempt, options: Http2RequestOptions) {
    this.#wire = wire;
    this.#options = options;
  }

  send(): void {
    const wire = this.#wire;
    const { errors } = this.#options.undici;
    if (wire.upgrade !== null || wire.method === "CONNECT") {
      const what = wire.upgrade === null ? "CONNECT" : `an upgrade to ${wire.upgrade}`;
      this.#release();
      return wire.onError(
        new errors.NotSupportedError(`${what} is not sent over HTTP/2, which policy wants spoken to this service`),
      );
    }
    try {
      wire.onConnect((reason) => this.#abort(reason));
    } catch {
      return this.#release(); // given up meanwhile
    }
    if (this.#told) return this.#release();
    try {
      this.#open();
    } catch (error) {
      // The request itself is at fault, such as a header twice that may stand there once.
      if (this.#stream === undefined) this.#release();
      this.#told = true;
      wire.attempt.call.abort(error);
    }
  }

  #open(): void {
    const wire = this.#wire;
    const { session, scheme, undici } = this.#options;
    const { headers, contentLength } = requestHead(wire, scheme);
    const { content, length, type } = requestBody(wire.body, undici);
    const mismatch = (): Error => new undici.errors.RequestContentLengthMismatchError();
    const stated = contentLength ?? length;
    if (length !== undefined && contentLength !== undefined && contentLength !== length && length + contentLength > 0) {
      if (content !== undefined || WITH_BODY.has(wire.method)) throw mismatch();
    }
    if (type !== undefined) headers["content-type"] ??= type;
    if (content !== undefined ? stated !== undefined : WITH_BODY.has(wire.method)) headers["content-length"] = stated;
    if (wire.expectContinue) headers["expect"] = "100-continue";
    const { requestTrailers } = wire;
    const waitForTrailers = requestTrailers !== undefined && content !== undefined;
    const stream = withLightBind(() => session.request(headers, { endStream: content === undefined, waitForTrailers }));
    this.#stream = stream;
    this.#listen(stream);
    if (waitForTrailers) stream.once("wantTrailers", () => stream.sendTrailers(requestTrailers()));
    if (content === undefined) return wire.onRequestSent();
    const write = (): void => {
      if (Buffer.isBuffer(content)) {
        stream.end(content);
        wire.onBodySent(content);
        return wire.onRequestSent();
      }
      const observer = {
        bodySent: (chunk: unknown) => wire.onBodySent(chunk),
        requestSent: () => wire.onRequestSent(),
      };
      writeChunks(stream, content, stated, observer, mismatch).catch((error: unknown) => this.#abort(error as Error));
    };
    if (wire.expectContinue) stream.once("continue", write);
    else write();
  }

  #listen(stream: ClientHttp2Stream): void {
    const { headersTimeout, bodyTimeout } = this.#wire;
    const { errors } = this.#options.undici;
    if (headersTimeout) stream.setTimeout(headersTimeout, () => this.#abort(new errors.HeadersTimeoutError()));
    stream.on("headers", (headers, _flags, ...lines) =>
      this.#inform(headers[":status"] ?? 0, rawLines(lines, headers)),
    );
    stream.once("response", (headers, flags, ...lines) => {
      stream.setTimeout(bodyTimeout ?? 0, () => this.#abort(new errors.BodyTimeoutError()));
      this.#head(headers[":status"] ?? 0, rawLines(lines, headers), (flags & END_STREAM) !== 0);
    });
    stream.once("trailers", (headers, _flags, ...lines) => {
      this.#trailers = rawLines(lines, headers);
    });
    stream.once("end", () => this.#end());
    stream.on("error", (error) => this.#fail(error));
    stream.once("close", () => {
      this.#fail(new Error(`the stream was closed with ${codeName(stream.rstCode)}`));
      this.#release();
    });
  }

  #inform(status: number, lines: Lines): void {
    if (status === 100 || this.#told) return; // undici's HTTP/1.1 tells of no such answer either
    this.#wire.onHeaders(status, lines, nothing, STATUS_CODES[status] ?? "");
  }

  #head(status: number, lines: Lines, ended: boolean): void {
    if (this.#told) return;
    const wire = this.#wire;
    const stream = this.#stream!; // it tells of this
    this.#answered = true;
    this.#isHead = ended;
    wire.onResponseStarted();
    const length = ended ? undefined : lines.findIndex((each, index) => index % 2 === 0 && each === "content-length");
    if (length !== undefined && length >= 0 && wire.method !== "HEAD") this.#left = Number(lines[length + 1]);
    const resume = (): void => {
      if (!this.#paused) return;
      this.#paused = false;
      stream.resume();
    };
    if (!wire.onHeaders(status, lines, resume, STATUS_CODES[status] ?? "")) this.#pause(stream);
    stream.on("data", (chunk: Buffer) => {
      if (this.#told) return;
      if (this.#left !== undefined) this.#left -= chunk.length;
      if (!wire.onData(chunk)) this.#pause(stream);
    });
  }

  #pause(stream: ClientHttp2Stream): void {
    this.#paused = true;
    this.#wasPaused = true;
    stream.pause();
  }

  /** Of the stream, which is no end of the answer when the stream was reset. */
  #end(): void {
    const stream = this.#stream!; // it tells of this
    if (this.#told || !this.#answered) return; // `close` follows
    // Node ends a stream that was reset as one that is whole; then it is closed already. One that nobody read for a while may be as well.
    const left = this.#left ?? 0;
    const cut = stream.rstCode !== 0 || (stream.closed && !this.#wasPaused && this.#left !== 0);
    if (!this.#isHead && (cut || left !== 0)) {
      return this.#fail(
        new Error(`the stream was closed with ${codeName(stream.rstCode)} in the middle of the answer`),
      );
    }
    this.#told = true;
    this.#release(); // before the caller hears of it: its next request finds the place free
    // The answer is there, and the rest of the request of no use: as undici, which closes such a connection.
    if (!stream.writableEnded) stream.close(NGHTTP2_CANCEL);
    this.#wire.onComplete(this.#trailers);
  }

  #fail(streamError: Error): void {
    if (this.#told) return;
    this.#told = true;
    const wire = this.#wire;
    const { id = 0, rstCode } = this.#stream!; // it tells of this
    const lastStreamId = this.#options.lastStreamId();
    const unseen = lastStreamId !== undefined && id > lastStreamId;
    if (unseen || rstCode === NGHTTP2_REFUSED_STREAM) {
      const error = unseen
        ? new Error("the endpoint closes the connection (GOAWAY)", { cause: streamError })
        : streamError;
      return wire.refused(error, unseen);
    }
    const { session, connectionError } = this.#options;
    const ofConnection = connectionError() ?? (session.destroyed ? streamError : undefined);
    // Reset by itself, and not with its connection: that was no connection found closed.
    if (ofConnection === undefined) wire.attempt.reused = false;
    wire.onError(ofConnection ?? streamError);
  }

  #release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#options.over();
  }

  #abort(reason: unknown): void {
    if (this.#told) return;
    this.#told = true;
    const stream = this.#stream;
    if (stream !== undefined) {
      stream.close(NGHTTP2_CANCEL);
      stream.destroy();
    }
    this.#wire.onError(reason);
  }
}

/** Header lines as they came, without those that HTTP/2 has in place of the status line. @param lines told by Node, though not by its types */
function rawLines(lines: readonly unknown[], headers: object): Lines {
  const [raw] = lines;
  const all = Array.isArray(raw) ? (raw as string[]) : Object.entries(headers).flatMap(linesOf);
  return all.filter((_, index) => !all[index - (index % 2)]!.startsWith(":"));
}

function linesOf([name, value]: [string, unknown]): string[] {
  return Array.isArray(value) ? value.flatMap((each) => [name, String(each)]) : [name, String(value)];
}

function codeName(code: number): string {
  return CODES[code] ?? `code ${code}`;
}

/** RFC 9113 §7. */
const CODES = [
  "NO_ERROR",
  "PROTOCOL_ERROR",
  "INTERNAL_ERROR",
  "FLOW_CONTROL_ERROR",
  "SETTINGS_TIMEOUT",
  "STREAM_CLOSED",
  "FRAME_SIZE_ERROR",
  "REFUSED_STREAM",
  "CANCEL",
  "COMPRESSION_ERROR",
  "CONNECT_ERROR",
  "ENHANCE_YOUR_CALM",
  "INADEQUATE_SECURITY",
  "HTTP_1_1_REQUIRED",
];

function nothing(): void {}
