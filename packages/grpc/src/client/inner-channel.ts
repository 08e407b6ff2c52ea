/**
 * What of the inside of grpc-js's channels is used: the connection under one that leads to a single endpoint, which can be asked for a
 * stream at once. The channel's own calls go through three layers that choose, retry and filter before that, all of which the
 * engine has done already. None of it is promised by grpc-js: where a copy looks otherwise, calls take the channel's own way.
 */

import type { ClientHttp2Session } from "node:http2";
import { withLightBind } from "@inmesh/core/internal";
import type { CallCredentials, Channel, ChannelOptions, Metadata, StatusObject } from "../grpc-js.js";
import type { AnswerListener, AuthContext, MessageContext } from "./grpc-call.js";
import type { GrpcModule } from "./grpc-module.js";

/** A call's HTTP/2 stream: messages are framed on both sides. */
export interface StreamCall {
  sendMessageWithContext(context: MessageContext, framed: Buffer): void;
  startRead(): void;
  halfClose(): void;
  cancelWithStatus(code: number, details: string): void;
  getPeer(): string;
  getAuthContext(): AuthContext;
}

/** All that is asked of the metadata of a call that begins. */
export interface StreamHeaders {
  toHttp2Headers(): Record<string, string | string[]>;
}

/** A status that a stream brought about by being reset says so. */
export type StreamStatus = StatusObject & { readonly rstCode?: number };

interface Subchannel {
  getConnectivityState(): number;
  getRealSubchannel(): {
    /** @throws when the connection cannot carry it */
    createCall(headers: StreamHeaders, host: string, method: string, listener: AnswerListener): StreamCall;
    readonly transport?: { readonly session?: ClientHttp2Session } | null;
  };
  getCallCredentials(): CallCredentials;
}

/** Undoes the encoding of an answer. */
export interface Decoder {
  receiveMetadata(metadata: Metadata): Metadata;
  receiveMessage(message: Promise<Buffer>): Promise<Buffer>;
}

interface Inner {
  doPick(metadata: Metadata, extra: Record<string, string>): { readonly subchannel: Subchannel | null };
  /** So that it knows when it is idle. */
  onCallStart(): void;
  onCallEnd(status: StatusObject): void;
  readonly filterStackFactory: { createFilter(): Decoder };
}

/** Options that are carried out by the layers above a connection. */
const OF_LAYERS = ["grpc.default_compression_algorithm", "grpc.service_config"] as const;

export class InnerChannel {
  readonly #inner: Inner;
  readonly #grpc: GrpcModule;
  readonly #ready: number;
  readonly #metadata: Metadata;
  #subchannel: Subchannel | undefined = undefined;

  private constructor(grpc: GrpcModule, inner: Inner) {
    this.#grpc = grpc;
    this.#inner = inner;
    this.#ready = grpc.connectivityState.READY;
    this.#metadata = new grpc.Metadata();
  }

  /** @returns undefined where its calls are to go the channel's own way */
  static of(grpc: GrpcModule, channel: Channel, options: ChannelOptions): InnerChannel | undefined {
    const inner = (channel as unknown as { readonly internalChannel?: Partial<Inner> }).internalChannel;
    if (OF_LAYERS.some((name) => options[name] !== undefined) || !isInner(inner)) return undefined;
    return new InnerChannel(grpc, inner);
  }

  /** Undefined: no connection stands, or not one that can be used without the channel. */
  open(headers: StreamHeaders, host: string, method: string, listener: AnswerListener): StreamCall | undefined {
    const subchannel = this.#connected;
    if (subchannel === undefined) return undefined;
    try {
      const real = subchannel.getRealSubchannel();
      const call = withLightBind(() => real.createCall(headers, host, method, listener));
      this.#inner.onCallStart();
      return call;
    } catch {
      return undefined; // it is on its way out, and the channel knows
    }
  }

  /** Calls at once that the server takes on the connection that stands; undefined: not known. */
  get mostStreams(): number | undefined {
    const { session } = this.#connected?.getRealSubchannel().transport ?? {};
    return session === undefined || session.destroyed ? undefined : session.remoteSettings.maxConcurrentStreams;
  }

  over(status: StatusObject): void {
    this.#inner.onCallEnd(status);
  }

  decoder(): Decoder {
    return this.#inner.filterStackFactory.createFilter();
  }

  get #connected(): Subchannel | undefined {
    const known = this.#subchannel;
    if (known !== undefined && known.getConnectivityState() === this.#ready) return known;
    const { subchannel } = this.#inner.doPick(this.#metadata, {});
    if (!isSubchannel(subchannel) || subchannel.getConnectivityState() !== this.#ready) return undefined;
    // A client's TLS may bring credentials of calls, which the channel adds to each.
    if (!subchannel.getCallCredentials()._equals(this.#grpc.credentials.createEmpty())) return undefined;
    this.#subchannel = subchannel;
    return subchannel;
  }
}

function isInner(inner: Partial<Inner> | undefined): inner is Inner {
  return (
    inner !== undefined &&
    typeof inner.doPick === "function" &&
    typeof inner.onCallStart === "function" &&
    typeof inner.onCallEnd === "function" &&
    typeof inner.filterStackFactory?.createFilter === "function"
  );
}

function isSubchannel(subchannel: Partial<Subchannel> | null): subchannel is Subchannel {
  return (
    subchannel !== null &&
    typeof subchannel.getConnectivityState === "function" &&
    typeof subchannel.getCallCredentials === "function" &&
    typeof subchannel.getRealSubchannel?.().createCall === "function"
  );
}
