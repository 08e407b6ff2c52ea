/**
 * One HTTP/2 connection to an endpoint: made, known to speak HTTP/2, used by many requests at a time, retired, closed.
 *
 * It takes requests once the peer's SETTINGS are there: whoever speaks something else has then been sent nothing, and how
 * many streams the peer allows is known before the first.
 */

import { type ClientHttp2Session, connect as startSession } from "node:http2";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Clock, Timer, Wire } from "@inmesh/core";
import { setImmediate } from "@inmesh/core/internal";
import type { ConnectionPolicy } from "@inmesh/model";
import type { buildConnector } from "undici";
import type { Connection } from "../client-connection.js";
import type { SecuredConnection } from "../tls/secured-socket.js";
import type { Undici } from "../undici-module.js";
import type { WireAttempt } from "../wire-attempt.js";
import { wireOf } from "../wire-facts.js";
import { Http2Request } from "./http2-request.js";

/** Of an answer's body taken before it is read, per stream and per connection: node's 64 KiB are few where the way is long. In bytes. */
const STREAM_WINDOW = 256 * 1024;
const CONNECTION_WINDOW = 1024 * 1024;
/** All streams of a connection together may have this much in memory, in MB; with node's 10 a few uploads would stop new requests. */
const SESSION_MEMORY_MB = 256;
/** A connection that carried something so shortly before is there. In ms, as for HTTP/1.1. */
const FRESH_MS = 1;

/** The endpoint speaks something else. */
export const NO_HTTP2 = "ERR_INMESH_NO_HTTP2";

export interface Http2ConnectionOptions {
  readonly connect: buildConnector.connector;
  readonly scheme: "http" | "https";
  readonly about?: ((socket: Socket) => SecuredConnection | undefined) | undefined;
  readonly workload?: string | undefined;
  readonly policy: ConnectionPolicy;
  readonly clock: Clock;
  readonly undici: Undici;
  readonly owner: ConnectionOwner;
}

/** The pool, which hears what becomes of it. */
export interface ConnectionOwner {
  /** It takes requests. */
  opened(): void;
  /** A request is over: there is room for another, or it takes none any more. */
  changed(connection: Http2Connection): void;
  /** @param error why it never took one; undefined where it did */
  closed(connection: Http2Connection, error: Error | undefined): void;
}

export class Http2Connection implements Connection {
  readonly #options: Http2ConnectionOptions;
  #session: ClientHttp2Session | undefined;
  #open = false;
  #retired = false;
  #closed = false;
  #error: Error | undefined;
  remoteAddress: string | undefined = undefined;
  wire: Wire | undefined = undefined;
  secured: SecuredConnection | undefined = undefined;
  introduced = false;
  /** Requests on it now. */
  streams = 0;
  #served = 0;
  #servedSeen = -1;
  /** The last request went on it while there was no other. */
  #wasIdle = false;
  /** Clock ms since when there is none. */
  #idleSince = 0;
  #maxStreams = Number.POSITIVE_INFINITY;
  #lastStreamId: number | undefined;
  readonly #timers = new Map<"connect" | "age" | "idle" | "ping", Timer>();

  constructor(options: Http2ConnectionOptions) {
    this.#options = options;
    const { connect, policy, clock } = options;
    const limitMs = policy.connectTimeoutMs;
    const late = (): void =>
      this.#fail(Object.assign(new Error(`no HTTP/2 connection within ${limitMs} ms`), { code: "ETIMEDOUT" }));
    // Looked at again a turn later: when this process stood still, what it waits for may lie unread (pitfalls L10).
    this.#timers.set(
      "connect",
      clock.after(limitMs, () => void setImmediate(() => !this.#open && late())),
    );
    try {
      connect({ hostname: "", protocol: "http:", port: "" }, (error, socket) => {
        if (this.#closed) socket?.destroy();
        else if (error !== null) this.#fail(error);
        else this.#speak(socket);
      });
    } catch (error) {
      setImmediate(() => this.#fail(error as Error)); // an address that is none
    }
  }

  /** Takes a request at once. */
  get hasRoom(): boolean {
    const session = this.#session;
    if (!this.#open || this.#retired || session === undefined || session.closed || session.destroyed) return false;
    return this.streams < this.#maxStreams;
  }

  get connecting(): boolean {
    return !this.#open && !this.#closed;
  }

  /** No further request goes on it. */
  get retired(): boolean {
    return this.#retired;
  }

  /** Streams that it takes at a time; of one that is being made, what policy allows. */
  get capacity(): number {
    return Math.min(this.#maxStreams, this.#options.policy.maxConcurrentStreams ?? Number.POSITIVE_INFINITY);
  }

  use(): boolean {
    return this.#served++ > 0 && this.#wasIdle;
  }

  /** Nothing is on it, and something was, long enough ago that its peer may have closed it since. */
  mayBeStale({ attempt }: WireAttempt): boolean {
    return this.streams === 0 && this.#served > 0 && attempt.startedAt - this.#idleSince > FRESH_MS;
  }

  /** Asked once per sweep. @returns whether it served nothing since it was asked last, and does not now */
  fellIdle(): boolean {
    const fell = this.#servedSeen === this.#served && this.streams === 0 && this.#open;
    this.#servedSeen = this.#served;
    return fell;
  }

  carry(wire: WireAttempt): void {
    const { scheme, undici, policy, workload = "" } = this.#options;
    const session = this.#session!; // it has room
    this.#wasIdle = this.streams === 0;
    if (this.#wasIdle) session.ref();
    this.streams += 1;
    wire.connection = this;
    if (!this.introduced && workload !== "") wire.introduce(workload);
    const request = new Http2Request(wire, {
      session,
      scheme,
      undici,
      lastStreamId: () => this.#lastStreamId,
      connectionError: () => this.#error,
      over: () => this.#over(),
    });
    request.send();
    const most = policy.maxRequestsPerConnection;
    if (most > 0 && this.#served >= most) this.retire();
  }

  /** Requests on it finish, and it closes. */
  retire(): void {
    if (this.#retired || this.#closed) return;
    this.#retired = true;
    if (this.#session === undefined) return this.#fail(new Error("the pool was closed"));
    if (this.streams === 0) this.#session.close();
    this.#options.owner.changed(this);
  }

  /** Requests on it end with `error`. */
  destroy(error: Error): void {
    this.#error ??= error;
    if (this.#session === undefined) this.#fail(error);
    else this.#session.destroy(error);
  }

  #speak(socket: Socket | TLSSocket): void {
    const { policy } = this.#options;
    this.remoteAddress = socket.remoteAddress;
    this.secured = this.#options.about?.(socket);
    const session = startSession("http://inmesh", {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW },
      maxSessionMemory: SESSION_MEMORY_MB,
    });
    this.#session = session;
    session.on("error", (error) => {
      this.#error ??= error;
    });
    session.on("remoteSettings", ({ maxConcurrentStreams = Number.POSITIVE_INFINITY }) => {
      this.#maxStreams = Math.min(maxConcurrentStreams, policy.maxConcurrentStreams ?? Number.POSITIVE_INFINITY);
      if (this.#open) this.#options.owner.changed(this);
      else {
        this.wire = wireOf(socket, "HTTP/2");
        this.#opened(session);
      }
    });
    session.on("goaway", (_code, lastStreamId) => {
      this.#lastStreamId = lastStreamId;
      this.retire();
    });
    session.once("close", () => this.#gone());
  }

  #opened(session: ClientHttp2Session): void {
    const { policy, clock, owner } = this.#options;
    this.#open = true;
    this.#cancel("connect");
    session.setLocalWindowSize(CONNECTION_WINDOW);
    session.unref();
    const { retiresAt = Number.POSITIVE_INFINITY } = this.secured ?? {};
    const ageMs = Math.min(policy.maxAgeMs || Number.POSITIVE_INFINITY, retiresAt - clock.now());
    if (ageMs < Number.POSITIVE_INFINITY)
      this.#timers.set(
        "age",
        clock.after(Math.max(0, ageMs), () => this.retire()),
      );
    if (policy.http2KeepAlive) this.#pingIn(session, policy.http2KeepAlive);
    this.#idleSince = clock.now();
    this.#watchIdle();
    owner.opened();
  }

  #over(): void {
    const { clock, owner } = this.#options;
    this.streams -= 1;
    if (this.streams === 0) {
      this.#idleSince = clock.now();
      if (!this.#closed) this.#session?.unref();
      // Not before: its GOAWAY would overtake the last request, and a server that heard it first takes none.
      if (this.#retired) this.#session?.close();
      else this.#watchIdle();
    }
    owner.changed(this);
  }

  /** One timer however many requests: it looks how long it has been idle by then. */
  #watchIdle(): void {
    const { clock, policy } = this.#options;
    if (policy.idleTimeoutMs === 0 || this.#closed || this.#timers.has("idle")) return;
    const look = (): void => {
      this.#timers.delete("idle");
      if (this.streams > 0) return; // the end of the last one looks again
      const leftMs = this.#idleSince + policy.idleTimeoutMs - clock.now();
      if (leftMs <= 0) this.retire();
      else this.#timers.set("idle", clock.after(leftMs, look));
    };
    this.#timers.set("idle", clock.after(policy.idleTimeoutMs, look));
  }

  #pingIn(session: ClientHttp2Session, keepAlive: NonNullable<ConnectionPolicy["http2KeepAlive"]>): void {
    const { intervalMs, timeoutMs } = keepAlive;
    const { clock } = this.#options;
    const ping = (): void => {
      if (this.#closed || session.destroyed) return;
      const silent = (): void => {
        if (!this.#timers.has("ping")) return; // answered, and unread until now
        this.#error ??= Object.assign(new Error(`no answer to an HTTP/2 PING within ${timeoutMs} ms`), {
          code: "ETIMEDOUT",
        });
        session.destroy(this.#error);
      };
      this.#timers.set(
        "ping",
        clock.after(timeoutMs, () => void setImmediate(silent)),
      );
      const sent = session.ping((error) => {
        this.#cancel("ping");
        if (error === null) this.#pingIn(session, keepAlive);
      });
      if (!sent) this.#cancel("ping"); // it is closing
    };
    this.#timers.set("ping", clock.after(intervalMs, ping));
  }

  #gone(): void {
    if (this.#open) this.#end(undefined);
    else this.#fail(this.#error ?? new Error("the connection was closed"));
  }

  /** There never was one that takes requests. */
  #fail(cause: Error): void {
    const spoke = this.#session !== undefined && (cause as { code?: unknown }).code !== "ETIMEDOUT";
    // With TLS 1.3 a server refuses our certificate by closing now.
    const showed = this.secured?.showed ?? "";
    const perhaps =
      showed === "" ? "" : `; or it refuses ${showed}, as which this process showed itself: its log says so`;
    const error = spoke
      ? Object.assign(
          new Error(
            `the endpoint does not speak HTTP/2, which policy or its port's protocol asks for: ${cause.message}${perhaps}`,
            { cause },
          ),
          { code: NO_HTTP2 },
        )
      : cause;
    this.#session?.destroy();
    this.#end(error);
  }

  #end(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#retired = true;
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    this.#options.owner.closed(this, error);
  }

  #cancel(which: "connect" | "ping"): void {
    this.#timers.get(which)?.cancel();
    this.#timers.delete(which);
  }
}
