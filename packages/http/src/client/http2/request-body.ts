/** A request's body on an HTTP/2 stream, in every form that undici takes. */

import type { ClientHttp2Stream } from "node:http2";
import { isForm } from "../own-form.js";
import type { Undici } from "../undici-module.js";

type Chunks = AsyncIterable<unknown> | Iterable<unknown>;

export interface RequestBody {
  /** Undefined: there is none. Bytes are sent at once. */
  readonly content: Buffer | Chunks | undefined;
  /** Undefined where it is not known before it is sent. */
  readonly length: number | undefined;
  /** What a form says it is. */
  readonly type: string | undefined;
}

export function requestBody(body: unknown, undici: Pick<Undici, "Response">): RequestBody {
  if (body === undefined || body === null) return { content: undefined, length: 0, type: undefined };
  if (typeof body === "string") return ofBytes(Buffer.from(body));
  if (ArrayBuffer.isView(body)) return ofBytes(Buffer.from(body.buffer, body.byteOffset, body.byteLength));
  if (body instanceof ArrayBuffer) return ofBytes(Buffer.from(body));
  if (isForm(body)) {
    const { headers, body: content } = new undici.Response(body as never);
    return { content: content as Chunks, length: undefined, type: headers.get("content-type") ?? undefined };
  }
  const { stream, size } = body as Partial<Blob>;
  if (typeof stream === "function" && typeof size === "number") {
    return { content: (body as Blob).stream() as unknown as Chunks, length: size, type: undefined };
  }
  return { content: body as Chunks, length: undefined, type: undefined };
}

function ofBytes(content: Buffer): RequestBody {
  return content.length === 0
    ? { content: undefined, length: 0, type: undefined }
    : { content, length: content.length, type: undefined };
}

export interface BodyObserver {
  bodySent(chunk: unknown): void;
  /** All of it was written. */
  requestSent(): void;
}

/**
 * Writes a body as fast as the stream takes it, and ends the stream.
 * @param stated its length as the head says it
 * @throws what the body threw, or undici's error when it is longer or shorter than stated
 */
export async function writeChunks(
  stream: ClientHttp2Stream,
  chunks: Chunks,
  stated: number | undefined,
  observer: BodyObserver,
  mismatch: () => Error,
): Promise<void> {
  let written = 0;
  for await (const given of chunks) {
    const chunk = toBytes(given);
    if (stream.closed || stream.destroyed) return; // its own event tells why
    written += chunk.length;
    if (stated !== undefined && written > stated) throw mismatch();
    const flows = stream.write(chunk);
    observer.bodySent(chunk);
    if (!flows) await room(stream);
  }
  if (stream.closed || stream.destroyed) return;
  if (stated !== undefined && written !== stated) throw mismatch();
  stream.end();
  observer.requestSent();
}

function toBytes(chunk: unknown): Buffer {
  if (typeof chunk === "string") return Buffer.from(chunk);
  if (Buffer.isBuffer(chunk)) return chunk;
  if (ArrayBuffer.isView(chunk)) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  if (chunk instanceof ArrayBuffer) return Buffer.from(chunk);
  throw new TypeError(`a request's body has a part of type ${typeof chunk}, expected bytes or text`);
}

/** The stream takes more, or never will. */
function room(stream: ClientHttp2Stream): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.removeListener("drain", done);
      stream.removeListener("close", done);
      resolve();
    };
    stream.once("drain", done);
    stream.once("close", done);
  });
}
