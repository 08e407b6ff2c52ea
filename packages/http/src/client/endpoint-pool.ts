/**
 * Connections to one endpoint: undici Clients, one request on each at a time, the last one used first.
 *
 * Not undici's Pool: it looks through all of its clients for each request and keeps one more connection open than it
 * needs; a stack of those that are free costs 2 us less per request (docs/design/2026-11-27-request-path.md).
 */

import type { Clock } from "@inmesh/core";
import { setImmediate } from "@inmesh/core/internal";
import type { Endpoint, TrafficPolicy } from "@inmesh/model";
import type { buildConnector, Client } from "undici";
import { ClientConnection } from "./client-connection.js";
import { endpointConnector } from "./endpoint-connector.js";
import type { Undici } from "./undici-module.js";
import type { WireAttempt } from "./wire-attempt.js";

/** Idle connections live this long when neither policy nor peer says otherwise: undici's figure, in ms (pitfalls P2). */
const KEEP_ALIVE_MS = 4_000;
/** An idle connection is given up this long before the peer's Keep-Alive hint, in ms. */
const KEEP_ALIVE_MARGIN_MS = 1_000;
/** Connections to one endpoint; whoever comes beyond waits for a free one (pitfalls P4). Twice Envoy's own default. */
const MAX_CONNECTIONS = 2_048;

export interface EndpointPoolOptions {
  /** Of the first request: nearly always that of all. */
  readonly authority: string;
  /** A connection is asked for. */
  readonly onConnect: () => void;
  readonly undici: Undici;
  readonly clock: Clock;
  /** @default in plaintext */
  readonly connect?: buildConnector.connector;
}

export class EndpointPool {
  /** In force: replaced by one that says the same. */
  policy: TrafficPolicy;
  /** What its clients write as Host by themselves; a request to another says so in a header of its own. */
  readonly authority: string;
  /** Requests given to it so far; a sweep that finds no more of them than the last takes the pool for idle. */
  uses = 0;
  usesSeen = -1;
  readonly #make: () => ClientConnection;
  #connections: ClientConnection[] = [];
  /** Those that take a request at once, the most recently used last. */
  #free: ClientConnection[] = [];
  /** Waiting for a connection, in the order in which they came. */
  #waiting: WireAttempt[] = [];
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
      connect = endpointConnector(of, policy.connection, undici),
    }: EndpointPoolOptions,
  ) {
    this.policy = policy;
    this.authority = isUrlHost(authority) ? authority : "localhost";
    const { idleTimeoutMs, maxRequestsPerConnection, maxAgeMs = 0 } = policy.connection;
    const keepAliveTimeout = idleTimeoutMs || KEEP_ALIVE_MS;
    const options: Client.Options = {
      connect: (named, callback) => {
        onConnect();
        connect(named, callback);
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
    this.#make = () => {
      const connection = new ClientConnection(new undici.Client(origin, options), onFree);
      if (maxAgeMs > 0) connection.onAge(maxAgeMs, clock, () => this.#retire(connection));
      return connection;
    };
  }

  dispatch(wire: WireAttempt): void {
    this.uses += 1;
    if (wire.authority !== this.authority) wire.writeHost();
    const connection = this.#free.pop() ?? this.#open();
    if (connection === undefined) this.#waiting.push(wire);
    else if (connection.mayBeStale(wire) && !wire.mayReplay) this.#afterNews(connection, wire);
    else if (connection.carry(wire)) this.#onFree(connection);
  }

  /** Clients held, connected or not. */
  get size(): number {
    return this.#connections.length;
  }

  /** For a sweep: forgets clients that nothing used since the last one and that have no connection any more. */
  dropUnused(): void {
    const dropped = new Set(this.#free.filter((connection) => connection.fellIdle()));
    if (dropped.size === 0) return;
    const stays = (connection: ClientConnection): boolean => !dropped.has(connection);
    this.#free = this.#free.filter(stays);
    this.#connections = this.#connections.filter(stays);
    for (const { client } of dropped) void client.close().catch(() => {}); // `free` stays set: it does not come back
  }

  /** Lets running requests finish, then closes. */
  async close(): Promise<void> {
    if (this.#waiting.length > 0 || this.#held > 0) {
      await new Promise<void>((resolve) => {
        this.#emptied = resolve;
      });
    }
    await Promise.all(this.#connections.map(({ client }) => client.close()));
  }

  async destroy(error: Error): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wire of waiting) wire.onError(error);
    await Promise.all(this.#connections.map(({ client }) => client.destroy(error)));
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
    const stays = (each: ClientConnection): boolean => each !== connection;
    this.#free = this.#free.filter(stays);
    this.#connections = this.#connections.filter(stays);
    connection.free = true; // it does not come back
    void connection.client.close().catch(() => {});
    const wire = this.#waiting.shift();
    if (wire !== undefined) this.#open()?.carry(wire); // there is room for one more
  }

  #noteEmpty(): void {
    if (this.#waiting.length > 0 || this.#held > 0 || this.#emptied === undefined) return;
    this.#emptied();
    this.#emptied = undefined;
  }

  #open(): ClientConnection | undefined {
    if (this.#connections.length >= MAX_CONNECTIONS) return undefined;
    const connection = this.#make();
    this.#connections.push(connection);
    return connection;
  }

  #onFree(connection: ClientConnection): void {
    if (connection.free) return; // it may say so twice
    let taken = false;
    while (!taken && this.#waiting.length > 0) taken = !connection.carry(this.#waiting.shift()!); // just seen to be there
    if (!taken) {
      connection.freed();
      this.#free.push(connection);
    }
    this.#noteEmpty();
  }
}

/** A URL of it reads back as it is: undici writes it on the wire unchanged. */
function isUrlHost(authority: string): boolean {
  return URL.canParse(`http://${authority}`) && new URL(`http://${authority}`).host === authority;
}
