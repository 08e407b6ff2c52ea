/** Counts the bytes of a request's body as they arrive, whoever reads them. One function for all, and a number on the stream. */

import { Readable } from "node:stream";
import { MessageCount } from "./message-count.js";

const BYTES: unique symbol = Symbol("inmesh.bodyBytes");

const MESSAGES: unique symbol = Symbol("inmesh.bodyMessages");

interface Counted extends Readable {
  [BYTES]?: number;
  [MESSAGES]?: MessageCount;
}

/** @param grpc its messages count, too; of HTTP/2, where nothing of the body came with the head */
export function countBody(stream: Readable, grpc = false): void {
  const counted = stream as Counted;
  if (counted[BYTES] !== undefined) return;
  if (grpc) counted[MESSAGES] = new MessageCount();
  counted[BYTES] = counted.readableLength; // what came in one piece with the head
  Object.defineProperty(stream, "push", { value: push, configurable: true, writable: true });
}

export function countedBytes(stream: object): number {
  return (stream as Counted)[BYTES] ?? 0;
}

export function countedMessages(stream: object): number {
  return (stream as Counted)[MESSAGES]?.messages ?? 0;
}

function push(this: Counted, chunk: unknown, encoding?: BufferEncoding): boolean {
  if (chunk instanceof Uint8Array) {
    this[BYTES] = (this[BYTES] ?? 0) + chunk.length;
    this[MESSAGES]?.add(chunk);
  }
  return Readable.prototype.push.call(this, chunk, encoding);
}
