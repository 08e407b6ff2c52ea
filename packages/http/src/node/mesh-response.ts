/** The answer to a request through the mesh: a real IncomingMessage, fed by the call instead of a socket. */

import { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { RawHeaders } from "../client/handler.js";
import { decodeHeaders } from "../client/raw-headers.js";

/** A symbol, because the owner is what an application holds as its ClientRequest. */
export const RESPONSE_DROPPED: unique symbol = Symbol("inmesh.responseDropped");

export interface ResponseOwner {
  readonly socket: Socket | null;
  setTimeout(ms: number): unknown;
  /** The reader gave the answer up before its end. */
  [RESPONSE_DROPPED](error: Error | undefined): void;
}

/** Both are IncomingMessage's own, undocumented and the same from Node 10 to 26. */
interface Internals {
  _addHeaderLines(lines: readonly string[], count: number): void;
  _readableState: { readingMore: boolean };
}

export class MeshResponse extends IncomingMessage {
  readonly #owner: ResponseOwner;
  readonly #resume: () => void;
  /** As on Node's own answers. */
  req: unknown = undefined;

  static {
    // The constructor of IncomingMessage assigns it; a stand-in is made only for those who look at it.
    Object.defineProperty(MeshResponse.prototype, "socket", {
      configurable: true,
      get(this: MeshResponse) {
        return this.#owner.socket;
      },
      set() {},
    });
  }

  constructor(owner: ResponseOwner, status: number, headers: RawHeaders, resume: () => void, text: string) {
    super(undefined as unknown as Socket); // `_read` and `_destroy`, which would use it, are overridden
    this.#owner = owner;
    this.#resume = resume;
    this.statusCode = status;
    this.statusMessage = text;
    this.httpVersion = "1.1";
    this.httpVersionMajor = 1;
    this.httpVersionMinor = 1;
    this.#internals._addHeaderLines(decodeHeaders(headers), headers.length);
  }

  override _read(): void {
    this.#internals._readableState.readingMore = false;
    this.#resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.readableEnded || !this.complete) {
      this.aborted = true;
      this.emit("aborted");
    }
    if (!this.complete) this.#owner[RESPONSE_DROPPED](error ?? undefined);
    // An error that nobody listens to does not end the process: Node's own answers are as lenient.
    process.nextTick(() => done(error !== null && this.listenerCount("error") > 0 ? error : null));
  }

  override setTimeout(ms: number, listener?: () => void): this {
    if (listener !== undefined) this.on("timeout", listener);
    this.#owner.setTimeout(ms);
    return this;
  }

  /** The body ended as it should. */
  finish(trailers: RawHeaders): void {
    this.complete = true;
    this.#internals._addHeaderLines(decodeHeaders(trailers), trailers.length);
    this.push(null);
  }

  get #internals(): Internals {
    return this as unknown as Internals;
  }
}
