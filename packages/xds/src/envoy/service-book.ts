/** Services that clusters speak of: one for each host that istiod names, and one for each cluster of any other name. */

import type { Service, ServicePort } from "@inmesh/model";
import { getOrMake } from "@inmesh/model/internal";
import { NONE } from "../client/none.js";
import type { DiscoveredCluster } from "./cluster.js";

export class ServiceBook {
  readonly byHost: ReadonlyMap<string, Service>;
  readonly #clusters: ReadonlyMap<string, DiscoveredCluster>;

  /** @param previous whose services stay the same objects while nothing about them changed */
  constructor(clusters: ReadonlyMap<string, DiscoveredCluster>, previous?: ServiceBook) {
    this.#clusters = clusters;
    if (previous !== undefined && previous.#clusters === clusters) {
      this.byHost = previous.byHost;
      return;
    }
    const parts = new Map<string, DiscoveredCluster[]>();
    for (const cluster of clusters.values()) {
      if (!isService(cluster)) continue;
      getOrMake(parts, cluster.host, () => []).push(cluster);
    }
    const byHost = new Map<string, Service>();
    for (const [host, list] of parts) {
      const made = serviceOf(host, list);
      const before = previous?.byHost.get(host);
      byHost.set(host, before !== undefined && isSame(before, made) ? before : made);
    }
    this.byHost = byHost;
  }
}

/** Envoy's own for what is let through or dropped, and the process's own ports, are none. */
function isService({ name, kind, port }: DiscoveredCluster): boolean {
  return !name.startsWith("inbound|") && !(kind === "asAsked" && port === 0) && name !== "BlackHoleCluster";
}

function serviceOf(host: string, clusters: readonly DiscoveredCluster[]): Service {
  const ports = new Map<number, ServicePort>();
  // The whole service's cluster says best what its port speaks.
  for (const { port, subset, protocol } of clusters) {
    if (port !== 0 && (subset === "" || !ports.has(port))) ports.set(port, { number: port, name: "", protocol });
  }
  const [first] = clusters;
  const { service, resolution } = (clusters.find(({ subset }) => subset === "") ?? first)!; // a group is never empty
  return {
    host,
    name: service.name,
    namespace: service.namespace,
    ports: ports.size === 0 ? NONE : [...ports.values()].sort((a, b) => a.number - b.number),
    implicit: false,
    resolution,
    location: service.external ? "external" : "internal",
    exportTo: EVERYBODY,
    addresses: NONE,
    subjectAltNames: NONE,
    resource: "",
    knownAs: [{ namespace: service.namespace, service: host }],
  };
}

const EVERYBODY: readonly string[] = Object.freeze(["*"]);

function isSame(a: Service, b: Service): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
