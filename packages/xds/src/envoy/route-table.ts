/** Authorities, as callers write them, to virtual hosts: which listener, which table, which of its hosts. */

import type { RouteTable, Service, VirtualHost } from "@inmesh/model";
import { getOrMake, hostCandidates } from "@inmesh/model/internal";
import type { DiscoveredListener } from "./listener.js";
import { type ListenerIndex, PASSTHROUGH } from "./listener-index.js";
import type { EnvoyResources } from "./resources.js";
import type { RouteConfiguration } from "./route-configuration.js";
import type { HostBytes } from "./virtual-host.js";

/** Namespace of a host whose rules calls say they want. */
export const HOST_IN_USE = "xds-host";

/** Spellings kept per table. */
const MAX_SPELLINGS = 4_096;

interface Target {
  readonly host: HostBytes;
  readonly port: number;
  readonly maxStreamMs: number;
}

export class EnvoyRouteTable implements RouteTable {
  readonly #listeners: ListenerIndex;
  readonly #resources: EnvoyResources;
  /** Of the client: short names are of it. */
  readonly #namespace: string;
  readonly #service: (host: string) => Service | undefined;
  /** By the host's bytes, then by port. Taken over while the services that they lead to are the same. */
  readonly #compiled: WeakMap<HostBytes, Map<number, VirtualHost>>;
  /** By `port host`; null is known to be unknown. */
  readonly #spellings = new Map<string, VirtualHost | null>();

  constructor(
    resources: EnvoyResources,
    listeners: ListenerIndex,
    namespace: string,
    service: (host: string) => Service | undefined,
    previous?: EnvoyRouteTable,
  ) {
    this.#resources = resources;
    this.#listeners = listeners;
    this.#namespace = namespace;
    this.#service = service;
    this.#compiled = previous === undefined ? new WeakMap() : previous.#compiled;
  }

  lookup(host: string, port: number): VirtualHost | undefined {
    const key = `${port} ${host}`;
    const known = this.#spellings.get(key);
    if (known !== undefined) return known ?? undefined;
    const found = this.#find(host.toLowerCase().replace(/\.$/, ""), port);
    if (this.#spellings.size >= MAX_SPELLINGS) this.#spellings.clear();
    this.#spellings.set(key, found ?? null);
    return found;
  }

  /** The name of the table that speaks about an authority; undefined: none does, or it is written into its listener. */
  tableName(host: string, port: number): string | undefined {
    return this.#listeners.find(this.#candidates(host), port)?.http?.routeName || undefined;
  }

  /** What was looked up, and found. */
  spelled(): readonly { readonly host: string; readonly port: number; readonly virtualHost: VirtualHost }[] {
    return [...this.#spellings].flatMap(([key, virtualHost]) => {
      const space = key.indexOf(" ");
      return virtualHost === null ? [] : { host: key.slice(space + 1), port: Number(key.slice(0, space)), virtualHost };
    });
  }

  /** The application's own TLS: such listeners look at the server name only, or at nothing. */
  isOpaque(host: string, port: number): boolean {
    const listener = this.#listeners.find([host.toLowerCase()], port);
    return listener !== undefined && listener.http === undefined && listener.byServerName;
  }

  all(): readonly VirtualHost[] {
    // istiod 1.26 tells a gRPC client every host of a port in the table of each of them.
    const seen = new Map<string, VirtualHost>();
    for (const listener of this.#resources.listeners.values()) {
      const { http, kind, name } = listener;
      if (http === undefined || kind === "inbound") continue;
      const table = this.#tableOf(listener);
      const port = kind === "api" ? portOf(name) : listener.port;
      for (const host of table?.hosts ?? []) {
        const made = this.#virtualHost({ host, port, maxStreamMs: http.maxStreamMs });
        const key = `${port} ${made.name}`;
        if (!seen.has(key) && !isPassThrough(host, made)) seen.set(key, made);
      }
    }
    return [...seen.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  #find(host: string, port: number): VirtualHost | undefined {
    const candidates = this.#candidates(host);
    const listener = this.#listeners.find(candidates, port);
    const http = listener?.http;
    if (listener === undefined || http === undefined) return undefined;
    const table = this.#tableOf(listener);
    const { ready, missingRoutes } = this.#resources;
    const isTold = table !== undefined ? ready?.has(`${host}:${port}`) !== false : missingRoutes.has(http.routeName);
    if (!isTold) return pendingHost(host, port);
    const match = table && bestMatch(table, candidates, port);
    if (match === undefined) return undefined;
    const made = this.#virtualHost({ host: match.host, port, maxStreamMs: http.maxStreamMs });
    return match.catchAll && isPassThrough(match.host, made) ? undefined : made;
  }

  #candidates(host: string): readonly string[] {
    return hostCandidates(host, this.#namespace);
  }

  #tableOf({ http }: DiscoveredListener): RouteConfiguration | undefined {
    return http?.inline ?? this.#resources.routes.get(http?.routeName ?? "");
  }

  #virtualHost({ host, port, maxStreamMs }: Target): VirtualHost {
    const byPort = getOrMake(this.#compiled, host, () => new Map<number, VirtualHost>());
    const before = byPort.get(port);
    const service = this.#service(serviceHost(host, port));
    if (before !== undefined && before.service === service) return before;
    const made = host.compile(port, service, maxStreamMs);
    byPort.set(port, made);
    return made;
  }
}

/** With the port first: tables that look at it have both. A host of its own goes before one for all others. */
function bestMatch(
  table: RouteConfiguration,
  candidates: readonly string[],
  port: number,
): ReturnType<RouteConfiguration["find"]> {
  const found = candidates.flatMap((host) => [table.find(`${host}:${port}`) ?? [], table.find(host) ?? []].flat());
  return found.find(({ catchAll }) => !catchAll) ?? found[0];
}

/** Its table is asked for once a call wants it. */
function pendingHost(host: string, port: number): VirtualHost {
  const name = `${host}:${port}`;
  const pending = { namespace: HOST_IN_USE, service: name };
  return { name, service: undefined, port, resource: null, routes: [], pending, find: () => undefined };
}

/** istiod names a virtual host after its service: `reviews.shop.svc.cluster.local:9080`. */
function serviceHost({ name }: HostBytes, port: number): string {
  return name.endsWith(`:${port}`) ? name.slice(0, -`:${port}`.length) : name;
}

function portOf(name: string): number {
  return Number(/:(\d+)$/.exec(name)?.[1] ?? 0);
}

/** istiod's `allow_any` and `block_all`: hosts that the mesh does not know. */
function isPassThrough({ domains }: HostBytes, { routes }: VirtualHost): boolean {
  const [only, more] = routes;
  if (only === undefined || more !== undefined || !domains.includes("*")) return false;
  const { action } = only;
  if (action.kind === "directResponse") return only.name === "block_all";
  return action.kind === "forward" && action.destinations.every(({ cluster }) => cluster === PASSTHROUGH);
}
