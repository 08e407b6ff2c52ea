/**
 * Looks at the beginning of a request's body and leaves all of it to the application. What arrives is seen on its way into
 * the stream's buffer: taking it out and putting it back would end an empty body before anybody listens.
 */

import type { Readable } from "node:stream";
import type { BodyStart } from "@inmesh/core";

/** Resolves when the body is complete, when more than `maxBytes` of it are there, and when nothing comes any more. */
export function peekBody(stream: Readable, maxBytes: number): Promise<BodyStart> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const see = (chunk: Buffer): void => {
      chunks.push(chunk);
      bytes += chunk.length;
    };
    const before = takeBuffered(stream);
    if (before !== undefined) see(before);
    if (bytes > maxBytes || hasEnded(stream)) return resolve(start(chunks, maxBytes, hasEnded(stream)));
    const { push } = stream;
    const done = (complete: boolean): void => {
      Reflect.deleteProperty(stream, "push");
      stream.off("close", cut);
      resolve(start(chunks, maxBytes, complete));
    };
    const cut = (): void => done(false);
    stream.once("close", cut);
    const watched = function (this: Readable, chunk: unknown, ...rest: [BufferEncoding?]): boolean {
      const more = push.call(this, chunk, ...rest);
      if (chunk === null) {
        done(true);
        return more;
      }
      if (chunk instanceof Uint8Array) see(Buffer.from(chunk)); // a copy: the stream's own belongs to the application
      if (bytes > maxBytes) {
        done(false);
        return more;
      }
      return true; // beyond the stream's own mark, up to ours: nobody reads yet
    };
    Object.defineProperty(stream, "push", { value: watched, configurable: true, writable: true });
  });
}

function start(chunks: readonly Buffer[], maxBytes: number, complete: boolean): BodyStart {
  const all = Buffer.concat(chunks);
  return all.length > maxBytes ? { bytes: all.subarray(0, maxBytes), complete: false } : { bytes: all, complete };
}

/** What came while somebody else was asked. Read and put back at once, which also lets the rest flow. */
function takeBuffered(stream: Readable): Buffer | undefined {
  if (stream.readableLength === 0) return undefined;
  const chunk = stream.read() as Buffer | null;
  if (chunk === null) return undefined;
  stream.unshift(chunk);
  return Buffer.from(chunk);
}

/** All of it has arrived. */
function hasEnded(stream: Readable): boolean {
  const { _readableState: state } = stream as { readonly _readableState?: { readonly ended?: boolean } };
  return state?.ended === true || stream.destroyed;
}
