/** The servers of a process: which listen, where, in which order; and how they stop without dropping a request. */

import { Server as HttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Http2Session, ServerHttp2Stream } from "node:http2";
import { type Server as NetServer, Socket } from "node:net";
import { Server as TlsServer } from "node:tls";
import { type Clock, sleep, type Timer } from "@inmesh/core";
import { setImmediate } from "@inmesh/core/internal";
import { askPrimary } from "./ask-primary.js";
import { endSession } from "./end-session.js";
import { isGrpcServer } from "./grpc-server.js";
import type { Inbound } from "./inbound.js";
import { override } from "./override.js";
import type { AnyServer, ServerHooks } from "./patch-servers.js";
import type { RequestHead } from "./request-head.js";
import type { ServerSecurity } from "./tls/server-security.js";
import { type TcpGuard, TcpServers } from "./tls/tcp-servers.js";

export interface Listener {
  readonly port: number;
  /** As bound: `::` and `0.0.0.0` are every address of the machine. */
  readonly address: string;
  /** As a port's name says it (policy-semantics §0.8): over TLS HTTP/1.1, HTTP/2 and gRPC are `https`, in clear they differ. */
  readonly protocol: "http" | "http2" | "grpc" | "https";
}

export interface ServersOptions {
  readonly inbound: Inbound;
  readonly clock: Clock;
  /** A server began or ceased to listen. */
  readonly onChange?: (listeners: readonly Listener[]) => void;
  /** Who may connect, and who they are. @default everybody, and nobody asks */
  readonly security?: ServerSecurity | undefined;
  /** What rules say of connections that are no HTTP. @default nothing */
  readonly guard?: TcpGuard | undefined;
}

/** Between two looks for idle connections of a closing server, in ms. */
const SWEEP_MS = 50;
/**
 * Idle connections are left to their callers for so long, in ms: whoever has heard of the end closes his own, and who has not may be
 * sending a request that cannot be sent twice. Callers of the mesh do hear, so theirs are left to them for longer: FIRST_REQUEST_MS.
 */
const IDLE_GRACE_MS = 500;
/** Between two looks at the number of connections, in ms. */
const LOOK_MS = 20;
/** Accepting a connection, reading its request: each takes a turn of the event loop. */
const QUIET_TURNS = 3;
/** Callers that go on calling must not hold up the end. */
const MAX_TURNS = 100;
/** For the first request on a connection that was accepted in the last moment, in ms; busy callers were seen to take 840. */
const FIRST_REQUEST_MS = 2_000;
/** For the primary of a cluster to hear that this worker takes no more, in ms: on a busy machine it has its own work first. */
const PRIMARY_MS = 5_000;
/** For the last frames of HTTP/2 connections whose requests are answered, in ms. */
const LAST_FRAMES_MS = 1_000;

export class Servers implements ServerHooks {
  readonly #inbound: Inbound;
  readonly #clock: Clock;
  readonly #onChange: (listeners: readonly Listener[]) => void;
  readonly #security: ServerSecurity | undefined;
  readonly #tcp: TcpServers;
  /** In order of listening. */
  readonly #listening = new Map<AnyServer, Listener>();
  readonly #closedByMesh = new WeakSet<AnyServer>();
  readonly #sessions = new Map<Http2Session, AnyServer>();
  /** Connections that left HTTP: they bring no requests any more. */
  readonly #upgraded = new Set<Socket>();

  constructor({ inbound, clock, onChange = () => {}, security, guard }: ServersOptions) {
    this.#inbound = inbound;
    this.#clock = clock;
    this.#onChange = onChange;
    this.#security = security;
    this.#tcp = new TcpServers({ clock, security, guard });
  }

  get listeners(): readonly Listener[] {
    return [...this.#listening.values()];
  }

  listening(server: AnyServer): void {
    this.#security?.listening(server);
    for (const listener of server.listeners("request")) this.#inbound.meet(listener);
    const bound = server.address();
    if (bound === null || typeof bound === "string" || this.#listening.has(server)) return; // a pipe has no port to call
    this.#listening.set(server, { port: bound.port, address: bound.address, protocol: protocolOf(server) });
    this.#closedByMesh.delete(server);
    this.#onChange(this.listeners);
  }

  closed(server: AnyServer): void {
    this.#forget(server);
    this.#security?.closed(server);
    if (!this.#inbound.retiring) return;
    // Until Node 24 closing a server leaves its HTTP/2 connections as they are, and its callers go on using them.
    for (const [session, owner] of this.#sessions) if (owner === server) void endSession(session);
  }

  connection(server: AnyServer, socket: unknown, handOver: (socket: unknown) => boolean): boolean {
    return this.#security === undefined ? handOver(socket) : this.#security.connection(server, socket, handOver);
  }

  tcpConnection(server: NetServer, socket: unknown, handOver: (socket: unknown) => boolean): boolean {
    return socket instanceof Socket ? this.#tcp.connection(server, socket, handOver) : handOver(socket);
  }

  cut(server: AnyServer): void {
    this.#security?.closePending(server);
  }

  request(request: IncomingMessage, response: ServerResponse, _: AnyServer, work: () => boolean): boolean {
    return this.#inbound.request(request, response, work);
  }

  upgrade(request: IncomingMessage, work: () => boolean, received = 0): boolean {
    const { socket } = request;
    if (!this.#upgraded.has(socket)) {
      this.#upgraded.add(socket);
      socket.once("close", () => this.#upgraded.delete(socket));
      this.#security?.left(socket);
    }
    return this.#inbound.upgrade(request, work, received);
  }

  session(session: Http2Session, server: AnyServer): void {
    if (this.#sessions.has(session)) return;
    this.#sessions.set(session, server);
    session.once("close", () => this.#sessions.delete(session));
    this.#security?.session(session);
  }

  stream(stream: ServerHttp2Stream, head: RequestHead, server: AnyServer, work: () => boolean): boolean {
    if (stream.session !== undefined) this.session(stream.session, server); // older than our knowledge of the server
    return this.#inbound.stream(stream, head, work);
  }

  closedByMesh(server: AnyServer): boolean {
    return this.#closedByMesh.has(server);
  }

  /**
   * Stops accepting, lets requests in flight finish, and closes idle connections that their callers do not (pitfalls S1). When
   * `signal` aborts first, what is left is cut.
   * @returns how many requests were cut
   */
  async close(signal: AbortSignal): Promise<number> {
    const servers = [...this.#listening.keys()];
    this.#inbound.retireConnections();
    for (const server of servers) this.#forget(server);
    await this.#readArrived(signal);
    const sessions = [...this.#sessions.keys()].map(endSession);
    for (const server of servers) {
      stopAccepting(server);
      this.#closedByMesh.add(server);
    }
    await this.#untilHeard(signal);
    const graceUntil = this.#clock.now() + IDLE_GRACE_MS;
    let looks = false;
    const sweep: Timer = this.#clock.every(SWEEP_MS, () => {
      this.#inbound.reap();
      if (looks || this.#clock.now() < graceUntil) return;
      looks = true;
      // A request may have come by now on a connection that is idle for all we know; and while those of others are served, which
      // takes a busy machine a tenth of a second, one more may come.
      void this.#readArrived(signal).then((quiet) => {
        looks = false;
        if (!quiet) return;
        for (const server of servers) if (this.#security?.hasPeers(server) !== true) closeIdle(server);
      });
    });
    await this.#served(signal);
    await this.#unconnected(servers, signal);
    if (sessions.length > 0) await this.#within(LAST_FRAMES_MS, signal, Promise.all(sessions));
    await this.#served(signal);
    sweep.cancel();
    const cut = this.#inbound.inFlight;
    for (const session of this.#sessions.keys()) session.destroy();
    for (const server of servers) {
      this.#security?.closePending(server);
      if (cut > 0) closeAll(server);
      else closeIdle(server);
    }
    return cut;
  }

  /**
   * A caller that is slow has a connection before it has sent anything on it: closing that would fail a request. Idle
   * ones that have served are closed by their callers or by the sweep; what nobody uses, or has left HTTP, is not waited for long.
   */
  async #unconnected(servers: readonly AnyServer[], signal: AbortSignal): Promise<void> {
    const until = this.#clock.now() + FIRST_REQUEST_MS;
    for (const server of servers) {
      if (!speaksHttp1(server)) continue; // its sessions are waited for by themselves
      while (!signal.aborted && this.#clock.now() < until && (await connections(server)) > this.#upgraded.size)
        await sleep(this.#clock, LOOK_MS);
    }
  }

  /** Of a worker, until its primary hands it no more connections. */
  async #untilHeard(signal: AbortSignal): Promise<void> {
    const answer = askPrimary();
    if (answer === undefined) return;
    const until = this.#clock.now() + PRIMARY_MS;
    while (answer.isDue && !signal.aborted && this.#clock.now() < until) await sleep(this.#clock, LOOK_MS);
  }

  async #served(signal: AbortSignal): Promise<void> {
    do {
      await this.#inbound.idle(signal);
      await this.#readArrived(signal); // on connections whose last answer could not say that it is the last
    } while (this.#inbound.inFlight > 0 && !signal.aborted);
  }

  #forget(server: AnyServer): void {
    if (this.#listening.delete(server)) this.#onChange(this.listeners);
  }

  /** Waits for `work`, at most so long. */
  #within(ms: number, signal: AbortSignal, work: Promise<unknown>): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = this.#clock.hold(ms, done);
      signal.addEventListener("abort", done);
      if (signal.aborted) done();
      void work.then(done);
    });
  }

  /**
   * What callers sent before they heard of the end may lie unread in the system's buffers, on connections that look idle
   * or were not accepted yet; closing now would cut it. Goes on once the event loop brings no new requests.
   * @returns whether it brings none, or went on bringing them
   */
  async #readArrived(signal: AbortSignal): Promise<boolean> {
    let quiet = 0;
    for (let turn = 0; turn < MAX_TURNS && quiet < QUIET_TURNS && !signal.aborted; turn++) {
      const { arrived } = this.#inbound;
      await new Promise((resolve) => setImmediate(resolve)); // one look at every socket
      quiet = this.#inbound.arrived === arrived ? quiet + 1 : 0;
    }
    return quiet >= QUIET_TURNS;
  }
}

function connections(server: AnyServer): Promise<number> {
  return new Promise((resolve) => server.getConnections((error, open) => resolve(error ? 0 : open)));
}

function protocolOf(server: AnyServer): Listener["protocol"] {
  if (server instanceof TlsServer) return "https";
  if (server instanceof HttpServer) return "http";
  return isGrpcServer(server) ? "grpc" : "http2";
}

function speaksHttp1(server: AnyServer): boolean {
  return server instanceof HttpServer || server instanceof TlsServer;
}

/** Without what Node does of itself with it since 19: to close idle connections on the spot. */
function stopAccepting(server: AnyServer): void {
  const restore = override(server as HttpServer, "closeIdleConnections", () => {});
  try {
    server.close();
  } finally {
    restore();
  }
}

/** Those of HTTP/1.1; an HTTP/2 server has none, unless it takes both. */
function closeIdle(server: AnyServer): void {
  HttpServer.prototype.closeIdleConnections.call(server as HttpServer);
}

function closeAll(server: AnyServer): void {
  HttpServer.prototype.closeAllConnections.call(server as HttpServer);
}
