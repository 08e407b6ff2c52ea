/** Counts the bytes of a request's body as they arrive, whoever reads them. One function for all, and a number on the stream. */

import { Readable } from "node:stream";

const BYTES: unique symbol = Symbol("inmesh.bodyBytes");

interface Counted extends Readable {
  [BYTES]?: number;
}

export function countBody(stream: Readable): void {
  const counted = stream as Counted;
  if (counted[BYTES] !== undefined) return;
  counted[BYTES] = counted.readableLength; // what came in one piece with the head
  Object.defineProperty(stream, "push", { value: push, configurable: true, writable: true });
}

export function countedBytes(stream: object): number {
  return (stream as Counted)[BYTES] ?? 0;
}

function push(this: Counted, chunk: unknown, encoding?: BufferEncoding): boolean {
  if (chunk instanceof Uint8Array) this[BYTES] = (this[BYTES] ?? 0) + chunk.length;
  return Readable.prototype.push.call(this, chunk, encoding);
}
