/**
 * `ClientHttp2Session` for a host of the mesh. It is no connection: each of its requests is a call, which the engine leads to
 * an endpoint over the mesh's own connections. So it is connected at once, answers pings itself and is never told to go away.
 */

import { EventEmitter } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionRequestOptions,
  constants,
  getDefaultSettings,
  type OutgoingHttpHeaders,
  type Settings,
} from "node:http2";
import { Socket } from "node:net";
import timers from "node:timers";
import type { Origin } from "@inmesh/core/internal";
import type { HttpClient } from "../client/client.js";
import { MeshStream } from "./mesh-stream.js";
import { readRequestHead } from "./stream-head.js";

const { clearTimeout, setTimeout } = timers;
/** Node takes it that they bring no body. */
const WITHOUT_BODY = new Set(["GET", "HEAD", "DELETE"]);
const PING_BYTES = 8;

export interface MeshSessionOptions {
  readonly client: HttpClient;
  readonly origin: Origin;
  /** Makes the session as if there were no mesh. */
  readonly original: () => ClientHttp2Session;
}

export class MeshSession extends EventEmitter {
  readonly client: HttpClient;
  readonly origin: Origin;
  /** What `:authority` says unless a request says otherwise. */
  readonly authority: string;
  readonly type = 1; // of a client
  readonly alpnProtocol: string;
  readonly encrypted: boolean;
  readonly pendingSettingsAck = false;
  connecting = true;
  closed = false;
  destroyed = false;
  readonly #original: () => ClientHttp2Session;
  readonly #streams = new Set<MeshStream>();
  #nextId = 1;
  #plain: ClientHttp2Session | undefined;
  #socket: Socket | undefined;
  #timeoutMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor({ client, origin, original }: MeshSessionOptions) {
    super();
    this.client = client;
    this.origin = origin;
    this.authority = origin.authority;
    this.encrypted = origin.scheme === "https";
    this.alpnProtocol = this.encrypted ? "h2" : "h2c";
    this.#original = original;
    process.nextTick(() => {
      if (this.destroyed) return;
      this.connecting = false;
      this.emit("connect", this, this.socket);
      this.emit("localSettings", this.localSettings);
      this.emit("remoteSettings", this.remoteSettings);
    });
  }

  /** A stand-in: requests go to several endpoints. */
  get socket(): Socket {
    this.#socket ??= new Socket();
    return this.#socket;
  }

  get localSettings(): Settings {
    return { ...getDefaultSettings(), enablePush: false };
  }

  get remoteSettings(): Settings {
    return getDefaultSettings();
  }

  get originSet(): string[] | undefined {
    return this.encrypted ? [`https://${this.authority}`] : undefined;
  }

  get state(): object {
    return { nextStreamID: this.#nextId };
  }

  /** The session that there would be without the mesh, for what is none of its business. */
  get plain(): ClientHttp2Session {
    if (this.#plain === undefined) {
      const plain = this.#original();
      plain.on("error", (error) => this.destroy(error));
      plain.once("close", () => {
        if (this.#plain === plain) this.#plain = undefined;
      });
      this.#plain = plain;
    }
    return this.#plain;
  }

  /** @throws as Node does, for a session that is over and for what is no header */
  request(
    headers?: OutgoingHttpHeaders | readonly string[],
    { endStream, waitForTrailers = false, signal }: ClientSessionRequestOptions = {},
  ): ClientHttp2Stream {
    if (this.destroyed) throw sessionError("ERR_HTTP2_INVALID_SESSION", "The session has been destroyed");
    if (this.closed) {
      throw sessionError("ERR_HTTP2_GOAWAY_SESSION", "New streams cannot be created after receiving a GOAWAY");
    }
    const head = readRequestHead(headers);
    if (head.method === "CONNECT") return this.plain.request(headers as OutgoingHttpHeaders); // a tunnel is no request
    const stream = new MeshStream({
      ...{ session: this, id: this.#nextId, head, sentHeaders: { ...headers }, waitForTrailers },
      endStream: endStream ?? WITHOUT_BODY.has(head.method),
    });
    this.#nextId += 2;
    this.#streams.add(stream);
    if (signal !== undefined) follow(stream, signal);
    this.#touch();
    return stream as unknown as ClientHttp2Stream;
  }

  /** Streams of it finish. */
  close(then?: () => void): void {
    if (then !== undefined) this.once("close", then);
    if (this.closed || this.destroyed) return;
    this.closed = true;
    this.#plain?.close();
    if (this.#streams.size === 0) this.destroy();
  }

  destroy(error?: Error | number, code: number = constants.NGHTTP2_CANCEL): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.closed = true;
    clearTimeout(this.#timer);
    const told = typeof error === "object" ? error : undefined;
    for (const stream of [...this.#streams]) {
      if (told === undefined) stream.close(code);
      else stream.destroy(told);
    }
    this.#plain?.destroy();
    process.nextTick(() => {
      if (told !== undefined) this.emit("error", told);
      this.emit("close");
    });
  }

  ping(...args: [payload?: unknown, then?: unknown]): boolean {
    const then = args.find((each) => typeof each === "function") as ((...said: unknown[]) => void) | undefined;
    if (this.destroyed) throw sessionError("ERR_HTTP2_INVALID_SESSION", "The session has been destroyed");
    const payload = ArrayBuffer.isView(args[0]) ? args[0] : Buffer.alloc(PING_BYTES);
    process.nextTick(() => then?.(null, 0, payload));
    return true;
  }

  settings(_settings?: Settings, then?: (error: Error | null, settings: Settings, durationMs: number) => void): void {
    process.nextTick(() => then?.(null, this.localSettings, 0));
  }

  setTimeout(ms: number, listener?: () => void): this {
    if (listener !== undefined) this.on("timeout", listener);
    this.#timeoutMs = ms;
    this.#touch();
    return this;
  }

  // Of a connection, which it is not: requests under way keep the process alive by themselves.
  ref(): void {}
  unref(): void {}
  goaway(): void {}
  setLocalWindowSize(): void {}

  /** Of its streams: this one is over. */
  forget(stream: MeshStream): void {
    this.#streams.delete(stream);
    this.#touch();
    if (this.closed && this.#streams.size === 0) this.destroy();
  }

  #touch(): void {
    clearTimeout(this.#timer);
    if (this.#timeoutMs === 0 || this.destroyed) return;
    this.#timer = setTimeout(() => this.emit("timeout"), this.#timeoutMs).unref();
  }
}

function follow(stream: MeshStream, signal: AbortSignal): void {
  const abort = (): void => {
    const error = new Error("The operation was aborted", { cause: signal.reason });
    stream.destroy(Object.assign(error, { name: "AbortError", code: "ABORT_ERR" }));
  };
  if (signal.aborted) return abort();
  signal.addEventListener("abort", abort, { once: true });
  stream.once("close", () => signal.removeEventListener("abort", abort));
}

function sessionError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
