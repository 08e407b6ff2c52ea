/** Makes the connections to one endpoint, whatever host their requests name. */

import { AsyncResource } from "node:async_hooks";
import { getDefaultAutoSelectFamilyAttemptTimeout, Socket } from "node:net";
import type { ConnectionPolicy, Endpoint } from "@inmesh/model";
import type { buildConnector } from "undici";
import type { Undici } from "./undici-module.js";
import { watchOpening } from "./wire-facts.js";

/**
 * Connections to one endpoint being made at once. A burst of calls must not overrun the queue in which the peer's system
 * keeps connections until they are accepted: 511 in Node, beyond which they are reset or wait for seconds.
 */
const MAX_CONNECTING = 128;

/**
 * A connection outlives the request that made it and serves others: made in that request's async context it would keep
 * alive whatever is in there, such as the inbound request that is being served. This one is the process's own.
 */
const NOBODYS = new AsyncResource("INMESH_CONNECTION");

export const UNIX = "unix://";

/** Idle time before the first probe where policy has no word on it: undici's figure, in ms. */
const KEEP_ALIVE_MS = 60_000;

/** In ms. Node sets how many probes there are, and how far apart. */
export function keepAliveDelay({ keepAlive }: ConnectionPolicy): number {
  return keepAlive?.timeMs ?? KEEP_ALIVE_MS;
}

/**
 * A name's addresses are tried one after the other, of both families in turn: each has this long, in ms, unless the process
 * gives more. Node's own 250 ms give up routes that are slow and good (pitfalls P6). Addresses need none of it.
 */
const ADDRESS_MS = 500;

export function addressMs(): number {
  return Math.max(ADDRESS_MS, getDefaultAutoSelectFamilyAttemptTimeout());
}

/** @param of whose endpoint: its address may be another by the time of the next connection (resolution DNS_ROUND_ROBIN) */
export function endpointConnector(
  of: { readonly endpoint: Endpoint },
  policy: ConnectionPolicy,
  { buildConnector }: Pick<Undici, "buildConnector">,
): buildConnector.connector {
  const { address } = of.endpoint;
  const socketPath = address.startsWith(UNIX) ? { socketPath: address.slice(UNIX.length) } : {};
  const connect = buildConnector({
    timeout: policy.connectTimeoutMs,
    keepAliveInitialDelay: keepAliveDelay(policy),
    autoSelectFamilyAttemptTimeout: addressMs(),
    ...socketPath,
  });
  return inTurn((named, callback) => {
    const { address: hostname, port } = of.endpoint;
    // undici hands out the socket at once, and leaves that out of its types.
    const socket = connect(
      { ...named, host: `${hostname}:${port}`, hostname, port: String(port) },
      callback,
    ) as unknown;
    if (socket instanceof Socket) watchOpening(socket);
  });
}

/** Makes connections in nobody's async context, `MAX_CONNECTING` at a time, in the order in which they were asked for. */
export function inTurn(connect: buildConnector.connector): buildConnector.connector {
  const waiting: (() => void)[] = [];
  let running = 0;
  return (options, callback) => {
    const start = (): void => {
      running += 1;
      NOBODYS.runInAsyncScope(connect, undefined, options, (...result: Parameters<typeof callback>) => {
        running -= 1;
        waiting.shift()?.();
        callback(...result);
      });
    };
    if (running < MAX_CONNECTING) start();
    else waiting.push(start);
  };
}
