/** Connections to one endpoint: an undici Pool whose clients know how many requests their socket has served. */

import type { ConnectionPolicy, Endpoint } from "@inmesh/model";
import type { buildConnector, Client, Dispatcher, Pool } from "undici";
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

/** What one attempt needs to know of the connection that carries it. */
export interface Connection {
  /** Counts one more request. @returns whether the socket had served before */
  use(): boolean;
}

export class EndpointPool {
  readonly policy: ConnectionPolicy;
  /** Requests given to it so far; a sweep that finds no more of them than the last takes the pool for idle. */
  uses = 0;
  usesSeen = -1;
  readonly #pool: Pool;

  constructor(endpoint: Endpoint, policy: ConnectionPolicy, { Pool, buildConnector }: Undici, factory: ClientFactory) {
    this.policy = policy;
    const keepAliveTimeout = policy.idleTimeoutMs || KEEP_ALIVE_MS;
    const { maxRequestsPerConnection } = policy;
    const { origin, socketPath } = addressOf(endpoint);
    this.#pool = new Pool(origin, {
      connections: MAX_CONNECTIONS,
      connect: inTurn(
        buildConnector({ timeout: policy.connectTimeoutMs, ...(socketPath !== undefined && { socketPath }) }),
      ),
      keepAliveTimeout,
      keepAliveMaxTimeout: keepAliveTimeout, // a hint of the peer's may only shorten it
      keepAliveTimeoutThreshold: KEEP_ALIVE_MARGIN_MS,
      headersTimeout: 0, // deadlines are the engine's (pitfalls P5)
      bodyTimeout: 0,
      pipelining: maxRequestsPerConnection === 1 ? 0 : 1, // 0 is undici's word for `connection: close`
      // undici closes with the request after this many.
      ...(maxRequestsPerConnection > 1 && { maxRequestsPerClient: maxRequestsPerConnection - 1 }),
      factory: (url, options) => factory(url, options as object),
    });
  }

  dispatch(wire: WireAttempt): void {
    this.uses += 1;
    // The attempt is its own options and its own handler: one object instead of three (performance.md §9).
    this.#pool.dispatch(wire as unknown as Dispatcher.DispatchOptions, wire as unknown as Dispatcher.DispatchHandler);
  }

  /** Lets running requests finish, then closes. */
  close(): Promise<void> {
    return this.#pool.close();
  }

  destroy(error: Error): Promise<void> {
    return this.#pool.destroy(error);
  }
}

export type ClientFactory = (url: string | URL, options: object) => Client;

/** Makes undici's Clients that tell each attempt which connection it goes out on. */
export function countingClients({ Client }: Undici): ClientFactory {
  class CountingClient extends Client implements Connection {
    #served = 0;

    constructor(url: string | URL, options: object) {
      super(url, options);
      this.on("connect", () => {
        this.#served = 0;
      });
    }

    use(): boolean {
      return this.#served++ > 0;
    }

    override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
      (handler as unknown as WireAttempt).connection = this;
      return super.dispatch(options, handler);
    }
  }
  return (url, options) => new CountingClient(url, options);
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

function addressOf({ address, port }: Endpoint): { origin: string; socketPath?: string } {
  if (address.startsWith("unix://")) return { origin: "http://localhost", socketPath: address.slice("unix://".length) };
  return { origin: `http://${address.includes(":") ? `[${address}]` : address}:${port}` };
}
