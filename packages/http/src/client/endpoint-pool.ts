/**
 * Connections to one endpoint: undici Clients, one request on each at a time, the last one used first.
 *
 * Not undici's Pool: it looks through all of its clients for each request and keeps one more connection open than it
 * needs; a stack of those that are free costs 2 us less per request (docs/design/2026-11-27-request-path.md).
 */

import type { ConnectionPolicy, Endpoint } from "@inmesh/model";
import type { buildConnector, Client, Dispatcher } from "undici";
import { REQUEST_CREATED, withOneTrace } from "./trace-lines.js";
import type { Undici } from "./undici-module.js";
import type { WireAttempt } from "./wire-attempt.js";

/** Idle connections live this long when neither policy nor peer says otherwise: undici's figure, in ms (pitfalls P2). */
const KEEP_ALIVE_MS = 4_000;
/** An idle connection is given up this long before the peer's Keep-Alive hint, in ms. */
const KEEP_ALIVE_MARGIN_MS = 1_000;
/** Connections to one endpoint; whoever comes beyond waits for a free one (pitfalls P4). Twice Envoy's own default. */
const MAX_CONNECTIONS = 2_048;

/**
 * Connections to one endpoint being made at once. A burst of calls must not overrun the queue in which the peer's system
 * keeps connections until they are accepted: 511 in Node, beyond which they are reset or wait for seconds.
 */
const MAX_CONNECTING = 128;

/** A connection that was in use so shortly before is as good as one that is: nobody closes it for being idle. In ms. */
const FRESH_MS = 1;

/** What one attempt needs to know of the connection that carries it. */
export interface Connection {
  /** Counts one more request. @returns whether the socket had served before */
  use(): boolean;
}

export interface EndpointPoolOptions {
  /** Of the first request: nearly always that of all. */
  readonly authority: string;
  /** A connection is asked for. */
  readonly onConnect: () => void;
  readonly undici: Undici;
}

export class EndpointPool {
  readonly policy: ConnectionPolicy;
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

  constructor(endpoint: Endpoint, policy: ConnectionPolicy, { authority, onConnect, undici }: EndpointPoolOptions) {
    const { buildConnector, Client } = undici;
    this.policy = policy;
    this.authority = isUrlHost(authority) ? authority : "localhost";
    const keepAliveTimeout = policy.idleTimeoutMs || KEEP_ALIVE_MS;
    const { maxRequestsPerConnection } = policy;
    const connect = buildConnector({ timeout: policy.connectTimeoutMs, ...socketPathOf(endpoint) });
    const inOrder = inTurn((named, callback) => connect({ ...named, ...addressOf(endpoint) }, callback));
    const options: Client.Options = {
      connect: (named, callback) => {
        onConnect();
        inOrder(named, callback);
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
    this.#make = () => new ClientConnection(new Client(origin, options), onFree);
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

/** One undici Client and what undici does not tell of it. */
class ClientConnection implements Connection {
  readonly client: Client;
  /** Takes a request at once. */
  free = false;
  /** The one it carries, until it is free again. */
  #wire: WireAttempt | undefined = undefined;
  /** Clock ms at which its last attempt ended. */
  #idleSince = 0;
  #served = 0;
  #servedSeen = -1;

  constructor(client: Client, onFree: (connection: ClientConnection) => void) {
    this.client = client;
    client.on("connect", () => {
      this.#served = 0;
      this.#servedSeen = -1;
    });
    // Said once it takes requests again after `dispatch` returned false, whatever became of the last one.
    client.on("drain", () => onFree(this));
  }

  use(): boolean {
    return this.#served++ > 0;
  }

  /** A request was on it before, and long enough ago that its peer may have closed it since. */
  mayBeStale({ attempt }: WireAttempt): boolean {
    return attempt.startedAt - this.#idleSince > FRESH_MS && this.#served > 0;
  }

  /** It takes requests again. */
  freed(): void {
    this.free = true;
    const wire = this.#wire;
    if (wire !== undefined) this.#idleSince = wire.attempt.endedAt;
    this.#wire = undefined;
  }

  /** Asked once per sweep. @returns whether it has no connection and served nothing since it was asked last */
  fellIdle(): boolean {
    if (this.#servedSeen === this.#served) return !this.client.stats.connected;
    this.#servedSeen = this.#served;
    return false;
  }

  /** Puts a request on the connection. @returns whether the client could take another at once */
  carry(wire: WireAttempt): boolean {
    this.free = false;
    this.#wire = wire;
    wire.connection = this;
    if (REQUEST_CREATED.hasSubscribers) return withOneTrace(wire, () => this.#dispatch(wire));
    return this.#dispatch(wire);
  }

  #dispatch(wire: WireAttempt): boolean {
    // The attempt is its own options and its own handler: one object instead of three (performance.md §9).
    return this.client.dispatch(
      wire as unknown as Dispatcher.DispatchOptions,
      wire as unknown as Dispatcher.DispatchHandler,
    );
  }
}

/** Makes connections `MAX_CONNECTING` at a time, in the order in which they were asked for. */
function inTurn(connect: buildConnector.connector): buildConnector.connector {
  const waiting: (() => void)[] = [];
  let running = 0;
  return (options, callback) => {
    const start = (): void => {
      running += 1;
      connect(options, (...result) => {
        running -= 1;
        waiting.shift()?.();
        callback(...result);
      });
    };
    if (running < MAX_CONNECTING) start();
    else waiting.push(start);
  };
}

/** As undici's connector wants it, in place of what the origin says. */
function addressOf({ address, port }: Endpoint): { host: string; hostname: string; port: string } {
  return { host: `${address}:${port}`, hostname: address, port: String(port) };
}

const UNIX = "unix://";

function socketPathOf({ address }: Endpoint): { socketPath?: string } {
  return address.startsWith(UNIX) ? { socketPath: address.slice(UNIX.length) } : {};
}

/** A URL of it reads back as it is: undici writes it on the wire unchanged. */
function isUrlHost(authority: string): boolean {
  return URL.canParse(`http://${authority}`) && new URL(`http://${authority}`).host === authority;
}
