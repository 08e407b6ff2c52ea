/**
 * When the head of an answer is written, of every server: on the prototypes, once per process, since a method of its own on each
 * answer would make every one of them another shape. Each costs one look at the request while nobody listens.
 */

import { ServerResponse } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import { override } from "../override.js";
import { MessageCount } from "./message-count.js";

/** On requests and streams that a mesh serves (inbound-request.ts). Holds for every copy of this package, also older ones. */
const SERVED: unique symbol = Symbol.for("@inmesh/inbound@1");
const WATCHED: unique symbol = Symbol.for("@inmesh/heads-watched@1");

const SENT: unique symbol = Symbol("inmesh.sentBytes");
const MESSAGES: unique symbol = Symbol("inmesh.sentMessages");

interface Marked {
  readonly [SERVED]?: { headWritten?(): void };
  [SENT]?: number;
  [MESSAGES]?: MessageCount;
}

export function watchHeads(): void {
  const prototype = ServerResponse.prototype as ServerResponse & { [WATCHED]?: true };
  if (Object.hasOwn(prototype, WATCHED)) return;
  Object.defineProperty(prototype, WATCHED, { value: true });
  const { writeHead: original } = prototype;
  override(prototype, "writeHead", function writeHead(this: ServerResponse, ...args: unknown[]) {
    const served = (this.req as Marked | undefined)?.[SERVED];
    if (served !== undefined && !this.headersSent) served.headWritten?.();
    return Reflect.apply(original, this, args) as ServerResponse;
  } as ServerResponse["writeHead"]);
}

const NAMES = ["respond", "respondWithFD", "respondWithFile"] as const;

/** Its class is met with its first stream. */
export function watchStreamHeads(stream: ServerHttp2Stream): void {
  let prototype = Object.getPrototypeOf(stream) as (ServerHttp2Stream & { [WATCHED]?: true }) | null;
  while (prototype !== null && !Object.hasOwn(prototype, "respond")) prototype = Object.getPrototypeOf(prototype);
  if (prototype === null || Object.hasOwn(prototype, WATCHED)) return;
  Object.defineProperty(prototype, WATCHED, { value: true });
  countWrites(prototype);
  for (const name of NAMES) {
    const original = prototype[name] as (...args: unknown[]) => void;
    override(prototype, name, function (this: ServerHttp2Stream, ...args: unknown[]) {
      (this as Marked)[SERVED]?.headWritten?.();
      return Reflect.apply(original, this, args);
    } as ServerHttp2Stream[typeof name]);
  }
}

/** Of a stream that no mesh serves as a request. */
export function watchHead(stream: ServerHttp2Stream, headWritten: () => void): void {
  Object.defineProperty(stream, SERVED, { value: { headWritten }, configurable: true, writable: true });
}

/** Bytes of an HTTP/2 answer's body so far; files that Node sends by itself are not among them. */
export function sentBytes(stream: object): number {
  return (stream as Marked)[SENT] ?? 0;
}

/** Of gRPC: from here on messages of the answer count. */
export function countMessages(stream: object): void {
  (stream as Marked)[MESSAGES] = new MessageCount();
}

export function sentMessages(stream: object): number {
  return (stream as Marked)[MESSAGES]?.messages ?? 0;
}

type Write = (this: Marked, chunk: unknown, encoding: BufferEncoding, done: unknown) => void;
type Writev = (this: Marked, chunks: readonly { readonly chunk: unknown }[], done: unknown) => void;

function countWrites(prototype: object): void {
  const target = prototype as { _write: Write; _writev: Writev };
  const { _write, _writev } = target;
  override(target, "_write", function (chunk, encoding, done) {
    this[SENT] = (this[SENT] ?? 0) + lengthOf(chunk, encoding);
    this[MESSAGES]?.add(bytesOf(chunk, encoding));
    _write.call(this, chunk, encoding, done);
  });
  override(target, "_writev", function (chunks, done) {
    let sent = this[SENT] ?? 0;
    const messages = this[MESSAGES];
    for (const { chunk } of chunks) {
      sent += lengthOf(chunk);
      messages?.add(bytesOf(chunk));
    }
    this[SENT] = sent;
    _writev.call(this, chunks, done);
  });
}

function bytesOf(chunk: unknown, encoding?: BufferEncoding): Uint8Array {
  return typeof chunk === "string" ? Buffer.from(chunk, encoding) : (chunk as Uint8Array);
}

function lengthOf(chunk: unknown, encoding?: BufferEncoding): number {
  return typeof chunk === "string" ? Buffer.byteLength(chunk, encoding) : ((chunk as Uint8Array).length ?? 0);
}
