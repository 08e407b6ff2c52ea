/**
 * The body of a request while somebody else is asked about it: its beginning can be looked at, and all of it stays for the
 * application. What arrives is seen on its way into the stream's buffer, for taking it out and putting it back, and HTTP/2
 * in any case, would end an empty body before anybody listens.
 */

import type { Readable } from "node:stream";
import type { BodyStart } from "@inmesh/core";

const BODIES = new WeakMap<Readable, ArrivingBody>();

export class ArrivingBody {
  readonly #stream: Readable;
  readonly #push: Readable["push"];
  /** Its end has come and is kept from the stream. */
  #heldEnd = false;
  #holds = 0;
  /** Told of every chunk, a copy, and of null at the end. */
  #watcher: ((chunk: Buffer | null) => void) | undefined;

  private constructor(stream: Readable) {
    this.#stream = stream;
    this.#push = stream.push;
  }

  static of(stream: Readable): ArrivingBody {
    let body = BODIES.get(stream);
    if (body === undefined) {
      body = new ArrivingBody(stream);
      BODIES.set(stream, body);
    }
    return body;
  }

  /** Keeps the end back until `release`. */
  hold(): void {
    this.#holds += 1;
    this.#install();
  }

  release(): void {
    this.#holds -= 1;
    if (this.#holds > 0) return; // somebody else is still asked
    this.#uninstall();
    if (this.#heldEnd && !this.#stream.destroyed) this.#push.call(this.#stream, null);
  }

  /** Resolves when the body is complete, when more than `maxBytes` of it are there, and when nothing comes any more. */
  peek(maxBytes: number): Promise<BodyStart> {
    const stream = this.#stream;
    return new Promise((resolve) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      const done = (complete: boolean): void => {
        stream.off("close", cut);
        this.#watcher = undefined;
        this.#uninstall();
        resolve(startOf(chunks, maxBytes, complete));
      };
      const cut = (): void => done(false);
      const see = (chunk: Buffer | null): void => {
        if (chunk === null) return done(true);
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > maxBytes) done(false);
      };
      stream.once("close", cut);
      this.#watcher = see;
      const before = takeBuffered(stream);
      if (before !== undefined) see(before);
      if (this.#watcher === undefined) return;
      if (stream.destroyed) return done(false);
      if (this.#ended) return done(true);
      this.#install();
      stream.read(0); // a stream of HTTP/2 lets no more come than its window holds until somebody wants it
    });
  }

  /** All of it has arrived. */
  get #ended(): boolean {
    const { _readableState: state } = this.#stream as { readonly _readableState?: { readonly ended?: boolean } };
    return this.#heldEnd || state?.ended === true;
  }

  #install(): void {
    const push = (chunk: unknown, encoding?: BufferEncoding): boolean => this.#pass(chunk, encoding);
    Object.defineProperty(this.#stream, "push", { value: push, configurable: true, writable: true });
  }

  #uninstall(): void {
    if (this.#holds === 0 && this.#watcher === undefined) Reflect.deleteProperty(this.#stream, "push");
  }

  #pass(chunk: unknown, encoding: BufferEncoding | undefined): boolean {
    let more = false;
    if (chunk === null && this.#holds > 0) this.#heldEnd = true;
    else more = this.#push.call(this.#stream, chunk, encoding);
    const watcher = this.#watcher;
    if (watcher === undefined) return more;
    if (chunk === null) watcher(null);
    else if (chunk instanceof Uint8Array) watcher(Buffer.from(chunk));
    // Beyond the stream's own mark, up to the watcher's: nobody reads yet.
    return this.#watcher === undefined ? more : true;
  }
}

function startOf(chunks: readonly Buffer[], maxBytes: number, complete: boolean): BodyStart {
  const all = Buffer.concat(chunks);
  return all.length > maxBytes ? { bytes: all.subarray(0, maxBytes), complete: false } : { bytes: all, complete };
}

/** What came before. Read and put back at once, which also lets the rest flow. */
function takeBuffered(stream: Readable): Buffer | undefined {
  if (stream.readableLength === 0) return undefined;
  const chunk = stream.read() as Buffer | null;
  if (chunk === null) return undefined;
  stream.unshift(chunk);
  return Buffer.from(chunk);
}
