/**
 * Listeners for the ports of a process in profile `grpc`, which nobody hears of who does not name them. They have a stream of
 * their own, opened once the process serves: istiod's generator for gRPC answers all listeners or those that are named, and one
 * name more on the stream of the calls would take theirs away (measured with istiod 1.26).
 */

import type { ListeningAddress } from "@inmesh/core/internal";
import type { ResourceStatus, XdsClient } from "../client/watch.js";
import { type DiscoveredListener, listenerType } from "./listener.js";
import { Watched } from "./watched.js";

export interface ServerListeners {
  /** Name of the one for a port, `%s` for `address:port` (gRFC A36). */
  readonly template: string;
  /** Asked once. */
  openClient(): XdsClient;
}

interface Open {
  readonly client: XdsClient;
  readonly watched: Watched<DiscoveredListener>;
}

export class OwnListeners {
  /** Of those for the ports that are served now. */
  names: ReadonlySet<string> = new Set();
  readonly #servers: ServerListeners;
  readonly #changed: () => void;
  #open: Open | undefined;

  constructor(servers: ServerListeners, changed: () => void) {
    this.#servers = servers;
    this.#changed = changed;
  }

  get values(): ReadonlyMap<string, DiscoveredListener> {
    return this.#open?.watched.values ?? new Map();
  }

  /** Those that were told, and are no longer. Whoever takes back what protects a port has not said that it may be open, or shut. */
  get kept(): readonly string[] {
    const { values, missing } = this.#open?.watched ?? { values: new Map(), missing: new Set<string>() };
    return [...missing].filter((name) => values.has(name));
  }

  /** As an XdsStatus has them. */
  get resources(): readonly ResourceStatus[] {
    return this.#open?.client.status.resources ?? [];
  }

  serve(listeners: readonly ListeningAddress[]): void {
    const { template } = this.#servers;
    this.names = new Set(listeners.map((listener) => serverListenerName(template, listener)));
    if (this.names.size === 0 && this.#open === undefined) return;
    this.#open ??= this.#watch();
    this.#open.watched.want(this.names);
    this.#changed(); // one that is closed takes its policy along
  }

  async close(): Promise<void> {
    this.#open?.watched.close();
    await this.#open?.client.close();
  }

  #watch(): Open {
    const client = this.#servers.openClient();
    const changed = this.#changed;
    const watched: Watched<DiscoveredListener> = new Watched(client, listenerType("grpc"), [], {
      removed: (name) => watched.values.get(name), // gRFC A88
      changed,
    });
    return { client, watched };
  }
}

/** `address:port` is a path of a URL in names of the form `xdstp:` (gRFC A47). */
function serverListenerName(template: string, { address, port }: ListeningAddress): string {
  const place = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  const text = template.startsWith("xdstp:") ? encodeURIComponent(place) : place;
  return template.replaceAll("%s", () => text);
}
