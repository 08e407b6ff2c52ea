/**
 * A call on a connection that stands, without the layers of the channel above it. What they would do to messages is done
 * here: framing, without a copy of what is large; and the encoding of answers, which is rare, by grpc-js's own filter.
 */

import type { AnswerListener, AuthContext, MessageContext, Metadata, StatusObject } from "./grpc-call.js";
import type { Decoder, InnerChannel, StreamCall, StreamHeaders, StreamStatus } from "./inner-channel.js";

const PREFIX_BYTES = 5;
/** From here on a second write costs less than the copy. In bytes. */
const LARGE_BYTES = 32 * 1024;
const ENCODING = "grpc-encoding";
const INTERNAL = 13;
/** HTTP/2's REFUSED_STREAM. */
const REFUSED = 7;
const NOBODY: MessageContext = {};

/** Hears also of what only a stream knows. */
export interface StreamListener extends AnswerListener {
  /** The server had nothing to do with it. */
  onRefused(status: StatusObject): void;
}

export class DirectCall implements StreamCall, AnswerListener {
  readonly #inner: InnerChannel;
  readonly #listener: StreamListener;
  #stream!: StreamCall; // set by `open`, which gives it to nobody before
  #decoder: Decoder | undefined = undefined;
  /** Messages that are being decoded, which the status must wait for. */
  #decoding = 0;
  #status: StreamStatus | undefined = undefined;

  private constructor(inner: InnerChannel, listener: StreamListener) {
    this.#inner = inner;
    this.#listener = listener;
  }

  /** Undefined: the channel is to carry it. */
  static open(
    inner: InnerChannel,
    headers: StreamHeaders,
    host: string,
    method: string,
    listener: StreamListener,
  ): DirectCall | undefined {
    const call = new DirectCall(inner, listener);
    const stream = inner.open(headers, host, method, call);
    if (stream === undefined) return undefined;
    call.#stream = stream;
    return call;
  }

  sendMessageWithContext(context: MessageContext, message: Buffer): void {
    const { length } = message;
    const large = length >= LARGE_BYTES;
    const framed = Buffer.allocUnsafe(large ? PREFIX_BYTES : PREFIX_BYTES + length);
    framed[0] = 0;
    framed.writeUInt32BE(length, 1);
    if (large) this.#stream.sendMessageWithContext(NOBODY, framed);
    else framed.set(message, PREFIX_BYTES);
    this.#stream.sendMessageWithContext(context, large ? message : framed);
  }

  startRead(): void {
    this.#stream.startRead();
  }

  halfClose(): void {
    this.#stream.halfClose();
  }

  cancelWithStatus(code: number, details: string): void {
    this.#stream.cancelWithStatus(code, details);
  }

  getPeer(): string {
    return this.#stream.getPeer();
  }

  getAuthContext(): AuthContext {
    return this.#stream.getAuthContext();
  }

  // ---- from the stream ----

  onReceiveMetadata(metadata: Metadata): void {
    const [encoding] = metadata.get(ENCODING);
    if (encoding !== undefined && encoding !== "identity") {
      this.#decoder = this.#inner.decoder();
      return this.#listener.onReceiveMetadata(this.#decoder.receiveMetadata(metadata));
    }
    if (encoding !== undefined) metadata.remove(ENCODING);
    metadata.remove("grpc-accept-encoding");
    this.#listener.onReceiveMetadata(metadata);
  }

  onReceiveMessage(framed: unknown): void {
    const message = framed as Buffer;
    if (message[0] === 0 && this.#decoding === 0)
      return this.#listener.onReceiveMessage(message.subarray(PREFIX_BYTES));
    const decoder = this.#decoder;
    if (decoder === undefined) {
      return this.cancelWithStatus(INTERNAL, "Received a compressed message, and its head names no encoding");
    }
    this.#decoding += 1;
    decoder.receiveMessage(Promise.resolve(message)).then(
      (decoded) => {
        this.#listener.onReceiveMessage(decoded);
        this.#decoded();
      },
      ({ code, details }: StatusObject) => {
        this.cancelWithStatus(code ?? INTERNAL, details ?? "Failed to decode a message");
        this.#decoded();
      },
    );
  }

  onReceiveStatus(status: StreamStatus): void {
    if (this.#decoding > 0) this.#status = status;
    else this.#end(status);
  }

  #decoded(): void {
    this.#decoding -= 1;
    if (this.#decoding === 0 && this.#status !== undefined) this.#end(this.#status);
  }

  #end(status: StreamStatus): void {
    this.#inner.over(status);
    if (status.rstCode === REFUSED) this.#listener.onRefused(status);
    else this.#listener.onReceiveStatus(status);
  }
}
