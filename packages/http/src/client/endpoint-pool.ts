/**
 * Connections to one endpoint: undici Clients, one request on each at a time, the last one used first.
 *
 * Not undici's Pool: it looks through all of its clients for each request and keeps one more connection open than it
 * needs; a stack of those that are free costs 2 us less per request (docs/design/2026-11-27-request-path.md).
 */

import type { Socket } from "node:net";
import { isIP } from "node:net";
import type { Clock } from "@inmesh/core";
import { setImmediate } from "@inmesh/core/internal";
import type { Endpoint, TrafficPolicy } from "@inmesh/model";
import type { buildConnector, Client } from "undici";
import { ClientConnection } from "./client-connection.js";
import type { ClusterConnections, Hungry } from "./cluster-connections.js";
import { endpointConnector } from "./endpoint-connector.js";
import { heldByCount } from "./held-socket.js";
import type { Pool } from "./pool.js";
import type { SecuredConnection } from "./tls/secured-socket.js";
import type { Undici } from "./undici-module.js";
import { WaitingRequests } from "./waiting-requests.js";
import type { WireAttempt } from "./wire-attempt.js";
import { wireOf } from "./wire-facts.js";

/** Idle connections live this long when neither policy nor peer says otherwise: undici's figure, in ms (pitfalls P2). */
const KEEP_ALIVE_MS = 4_000;
/** An idle connection is given up this long before the peer's Keep-Alive hint, in ms. */
const KEEP_ALIVE_MARGIN_MS = 1_000;
/** Connections to one endpoint; whoever comes beyond waits for a free one (pitfalls P4). Twice Envoy's own default. */
const MAX_CONNECTIONS = 2_048;
/**
 * Over TLS a connection costs both ends milliseconds of work. While so many are being made, or a quarter of those that stand,
 * requests wait for whichever is ready or free first; each with one of its own would make a peer that is slow slower still.
 */
const OPENING = { least: 4, share: 1 / 4 };

export interface EndpointPoolOptions {
  /** Of the first request: nearly always that of all. */
  readonly authority: string;
  /** A connection is asked for. */
  readonly onConnect: () => void;
  readonly undici: Undici;
  readonly clock: Clock;
  readonly connections: ClusterConnections;
  /** @default in plaintext */
  readonly connect?: buildConnector.connector;
  /** What connections are told of this process, see `WORKLOAD_HEADER`. @default nothing */
  readonly workload?: string | undefined;
  /** What there is to know of a connection that it made. @default nothing */
  readonly about?: ((socket: Socket) => SecuredConnection | undefined) | undefined;
}

export class EndpointPool implements Pool, Hungry {
  policy: TrafficPolicy;
  endpoint: Endpoint;
  /** What its clients write as Host by themselves; a request to another says so in a header of its own. */
  readonly authority: string;
  uses = 0;
  usesSeen = -1;
  readonly #make: () => ClientConnection;
  #connections: ClientConnection[] = [];
  /** Those that take a request at once, the most recently used last. */
  #free: ClientConnection[] = [];
  readonly #waiting = new WaitingRequests(() => this.#noteEmpty());
  readonly #cluster: ClusterConnections;
  readonly #overTls: boolean;
  /** Connections that are being made, and those that stand. */
  #opening = 0;
  #standing = 0;
  #emptied: (() => void) | undefined = undefined;
  /** See `#afterNews`. */
  #held = 0;

  constructor(
    of: { readonly endpoint: Endpoint },
    policy: TrafficPolicy,
    {
      authority,
      onConnect,
      undici,
      clock,
      connections,
      connect = endpointConnector(of, policy.connection, undici),
      about,
      workload = "",
    }: EndpointPoolOptions,
  ) {
    this.policy = policy;
    this.endpoint = of.endpoint;
    this.#cluster = connections;
    this.#overTls = about !== undefined;
    this.authority = isUrlHost(authority) ? authority : "localhost";
    const { idleTimeoutMs, maxRequestsPerConnection, maxAgeMs = 0 } = policy.connection;
    const keepAliveTimeout = idleTimeoutMs || KEEP_ALIVE_MS;
    const options: Client.Options & { readonly connect: buildConnector.connector } = {
      connect: (asked, callback) => {
        onConnect();
        if (this.#overTls) this.#opening += 1;
        connect(asked, (...result) => {
          if (this.#overTls) this.#opened(result[0]);
          callback(...result);
        });
      },
      keepAliveTimeout,
      keepAliveMaxTimeout: keepAliveTimeout, // a hint of the peer's may only shorten it
      keepAliveTimeoutThreshold: KEEP_ALIVE_MARGIN_MS,
      headersTimeout: 0, // deadlines are the engine's (pitfalls P5)
      bodyTimeout: 0,
      pipelining: maxRequestsPerConnection === 1 ? 0 : 1, // 0 is undici's word for `connection: close`
      // undici closes with the request after this many.
      ...(maxRequestsPerConnection > 1 && { maxRequestsPerClient: maxRequestsPerConnection - 1 }),
    };
    const onFree = (connection: ClientConnection): void => this.#onFree(connection);
    const origin = `http://${this.authority}`;
    const isNamed = isIP(of.endpoint.address) === 0;
    this.#make = () => {
      const opened = (socket: Socket): void => {
        heldByCount(socket);
        if (isNamed) connection.remoteAddress = socket.remoteAddress;
        connection.secured = about?.(socket);
        connection.wire = wireOf(socket, "HTTP/1.1");
      };
      const own = { ...options, connect: told(options.connect, opened) };
      const connection: ClientConnection = new ClientConnection(new undici.Client(origin, own), workload, onFree);
      connection.client.on("connect", () => {
        this.#standing += 1;
      });
      connection.client.on("disconnect", () => this.#onDisconnect(connection));
      if (maxAgeMs > 0 || about !== undefined) connection.onAge(maxAgeMs, clock, () => this.#retire(connection));
      return connection;
    };
  }

  dispatch(wire: WireAttempt): void {
    this.uses += 1;
    if (wire.authority !== this.authority) wire.writeHost();
    const connection = this.#free.pop() ?? (this.#waiting.size === 0 ? this.#open() : undefined);
    if (connection === undefined) this.#wait(wire);
    else if (connection.mayBeStale(wire) && !wire.mayReplay) this.#afterNews(connection, wire);
    else if (connection.carry(wire)) this.#onFree(connection);
  }

  get idle(): number {
    return this.#free.reduce((sum, { client }) => sum + (client.stats.connected ? 1 : 0), 0);
  }

  /** Clients held, connected or not. */
  get size(): number {
    return this.#connections.length;
  }

  /** Forgets clients that nothing used since the last sweep and that have no connection any more. */
  dropUnused(): void {
    const dropped = new Set(this.#free.filter((connection) => connection.fellIdle()));
    if (dropped.size === 0) return;
    const stays = (connection: ClientConnection): boolean => !dropped.has(connection);
    this.#free = this.#free.filter(stays);
    this.#connections = this.#connections.filter(stays);
    for (const connection of dropped) void this.#end(connection); // `free` stays set: it does not come back
  }

  /** Lets running requests finish, then closes. */
  async close(): Promise<void> {
    if (this.#waiting.size > 0 || this.#held > 0) {
      await new Promise<void>((resolve) => {
        this.#emptied = resolve;
      });
    }
    this.#cluster.forget(this);
    await Promise.all(this.#connections.map((connection) => this.#end(connection)));
  }

  async destroy(error: Error): Promise<void> {
    this.#cluster.forget(this);
    this.#waiting.fail(error);
    await Promise.all(this.#connections.map((connection) => this.#end(connection, error)));
  }

  /**
   * What cannot be sent twice goes on a kept connection only after one look at every socket: while this process was busy
   * the peer may have closed it, as a draining server does, and the news lies unread in the system's buffers. The first
   * turn ends with the sockets that this turn knew of, the second one has asked for more.
   */
  #afterNews(connection: ClientConnection, wire: WireAttempt): void {
    this.#held += 1;
    const send = (): void => {
      this.#held -= 1;
      if (connection.carry(wire)) this.#onFree(connection);
      this.#noteEmpty();
    };
    setImmediate(() => setImmediate(send));
  }

  /** It is old: the request on it finishes, later ones get another. */
  #retire(connection: ClientConnection): void {
    this.#leave(connection);
    this.feed();
  }

  #leave(connection: ClientConnection): void {
    const stays = (each: ClientConnection): boolean => each !== connection;
    this.#free = this.#free.filter(stays);
    this.#connections = this.#connections.filter(stays);
    connection.free = true; // it does not come back
    void this.#end(connection);
  }

  /** Lets its request finish, or ends it with `error`; then its place is another's. */
  async #end(connection: ClientConnection, error?: Error): Promise<void> {
    const { client } = connection;
    await (error === undefined ? client.close() : client.destroy(error)).catch(() => {}); // it may be closed already
    if (connection.ended) return;
    connection.ended = true;
    this.#cluster.give();
  }

  /** Where connections are counted, a client without one would hold the place of another's. One that is in use connects again. */
  #onDisconnect(connection: ClientConnection): void {
    this.#standing -= 1;
    if (connection.free && this.#cluster.limited && !connection.ended) this.#leave(connection);
  }

  /** There may be room for one more. */
  feed(): void {
    while (this.#waiting.size > 0) {
      const connection = this.#open();
      if (connection === undefined) return;
      const wire = this.#waiting.next();
      if (wire === undefined) return this.#onFree(connection);
      connection.carry(wire);
    }
  }

  /** One of those being made is there, or has failed. Who waits without any that stands, waits for this endpoint in vain. */
  #opened(error: Error | null): void {
    this.#opening -= 1;
    if (this.#waiting.size === 0) return;
    const isLost = error !== null && this.#standing === 0;
    // After the callback: its own request comes first.
    setImmediate(() => (isLost && this.#standing === 0 ? this.#waiting.fail(error, "connecting") : this.feed()));
  }

  /** Enough connections are being made for the moment. */
  get #makesEnough(): boolean {
    return this.#overTls && this.#opening >= Math.max(OPENING.least, this.#standing * OPENING.share);
  }

  #wait(wire: WireAttempt): void {
    const isFirst = this.#waiting.size === 0;
    const limited = !this.#makesEnough || this.#cluster.isFull(this.#connections.length);
    if (limited && !this.#cluster.mayWait(wire)) return;
    this.#waiting.add(wire, limited);
    if (!isFirst) this.feed(); // policy may allow more by now
  }

  #noteEmpty(): void {
    if (this.#waiting.size > 0 || this.#held > 0 || this.#emptied === undefined) return;
    this.#emptied();
    this.#emptied = undefined;
  }

  #open(): ClientConnection | undefined {
    const own = this.#connections.length;
    if (this.#makesEnough) return undefined;
    if (own >= MAX_CONNECTIONS || !this.#cluster.take(own, this)) return undefined;
    const connection = this.#make();
    this.#connections.push(connection);
    return connection;
  }

  #onFree(connection: ClientConnection): void {
    if (connection.free) return; // it may say so twice
    let taken = false;
    if (this.#waiting.size > 0) {
      for (let wire = this.#waiting.next(); wire !== undefined; wire = this.#waiting.next()) {
        taken = !connection.carry(wire);
        if (taken) break;
      }
    }
    if (!taken) {
      connection.freed();
      if (this.#cluster.limited && !connection.client.stats.connected) this.#leave(connection);
      else this.#free.push(connection);
    }
    this.#noteEmpty();
  }
}

/** Tells of the connection before it is used. */
function told(connect: buildConnector.connector, tell: (socket: Socket) => void): buildConnector.connector {
  return (asked, callback) =>
    connect(asked, (...result) => {
      if (result[0] === null) tell(result[1]);
      callback(...result);
    });
}

/** A URL of it reads back as it is: undici writes it on the wire unchanged. */
function isUrlHost(authority: string): boolean {
  return URL.canParse(`http://${authority}`) && new URL(`http://${authority}`).host === authority;
}
