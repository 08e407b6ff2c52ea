/** Services that clusters speak of: one for each host that istiod names, and one for each cluster of any other name. */

import type { Service, ServicePort } from "@inmesh/model";
import { getOrMake } from "@inmesh/model/internal";
import { NONE } from "../client/none.js";
import type { DiscoveredCluster } from "./cluster.js";

export class ServiceBook {
  /** The same map while no service is another one. */
  readonly byHost: ReadonlyMap<string, Service>;
  readonly #clusters: ReadonlyMap<string, DiscoveredCluster>;

  /** @param previous whose services stay the same objects while nothing about them changed; only those of other clusters are made */
  constructor(clusters: ReadonlyMap<string, DiscoveredCluster>, previous?: ServiceBook) {
    this.#clusters = clusters;
    const changed = previous && changedHosts(previous.#clusters, clusters);
    const parts = new Map<string, DiscoveredCluster[]>();
    for (const cluster of clusters.values()) {
      if (!isService(cluster) || changed?.has(cluster.host) === false) continue;
      getOrMake(parts, cluster.host, () => []).push(cluster);
    }
    const byHost = new Map(previous?.byHost);
    let isOther = previous === undefined;
    for (const host of changed ?? NO_HOSTS) if (!parts.has(host)) isOther = byHost.delete(host) || isOther;
    for (const [host, list] of parts) {
      const made = serviceOf(host, list);
      const before = byHost.get(host);
      if (before !== undefined && isSame(before, made)) continue;
      byHost.set(host, made);
      isOther = true;
    }
    this.byHost = previous !== undefined && !isOther ? previous.byHost : byHost;
  }
}

const NO_HOSTS: ReadonlySet<string> = new Set();

/** Hosts with a cluster that came, went or is another. */
function changedHosts(
  before: ReadonlyMap<string, DiscoveredCluster>,
  now: ReadonlyMap<string, DiscoveredCluster>,
): ReadonlySet<string> {
  const hosts = new Set<string>();
  for (const [name, cluster] of now) if (before.get(name) !== cluster) hosts.add(cluster.host);
  for (const [name, { host }] of before) if (now.get(name)?.host !== host) hosts.add(host);
  return hosts;
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
