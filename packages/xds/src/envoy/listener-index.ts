/** Which listener a request would meet, had it gone through a proxy: by the name that is dialled, or by address and port. */

import type { DiscoveredListener } from "./listener.js";

const ANY_ADDRESS = new Set(["", "0.0.0.0", "::"]);

/** Connections that no listener is for. */
export type OutboundPolicy = "ALLOW_ANY" | "REGISTRY_ONLY";

export class ListenerIndex {
  /** What connections to addresses that nobody listens for meet; ALLOW_ANY where nothing is said. */
  readonly outboundPolicy: OutboundPolicy;
  readonly inbound: readonly DiscoveredListener[];
  readonly #byName = new Map<string, DiscoveredListener>();
  /** Of any address, by port. */
  readonly #byPort = new Map<number, DiscoveredListener>();
  /** `address:port`. */
  readonly #byAddress = new Map<string, DiscoveredListener>();

  constructor(listeners: Iterable<DiscoveredListener>) {
    const inbound: DiscoveredListener[] = [];
    let policy: OutboundPolicy = "ALLOW_ANY";
    for (const listener of listeners) {
      const { kind, name, address, port, tcpClusters } = listener;
      if (kind === "inbound") inbound.push(listener);
      else if (kind === "api") this.#byName.set(name.toLowerCase(), listener);
      else if (name === CATCH_ALL) policy = tcpClusters.includes(PASSTHROUGH) ? "ALLOW_ANY" : "REGISTRY_ONLY";
      else if (ANY_ADDRESS.has(address)) this.#byPort.set(port, listener);
      else this.#byAddress.set(`${address}:${port}`, listener);
    }
    this.inbound = inbound;
    this.outboundPolicy = policy;
  }

  /** @param candidates names that the host may mean, lower-case; the first as it is written */
  find(candidates: readonly string[], port: number): DiscoveredListener | undefined {
    const [host = ""] = candidates;
    for (const name of this.#byName.size === 0 ? [] : candidates) {
      const named = this.#byName.get(`${name}:${port}`) ?? this.#byName.get(name);
      if (named !== undefined) return named;
    }
    return this.#byAddress.get(`${host}:${port}`) ?? this.#byPort.get(port);
  }
}

/** istiod's names: the listener for whatever no other is for, and where it sends what is let through. */
const CATCH_ALL = "virtualOutbound";
export const PASSTHROUGH = "PassthroughCluster";
export const BLACK_HOLE = "BlackHoleCluster";
