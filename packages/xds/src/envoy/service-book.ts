/** Services that clusters speak of: one for each host that istiod names, and one for each cluster of any other name. */

import type { Service, ServicePort } from "@inmesh/model";
import { getOrMake } from "@inmesh/model/internal";
import { NONE } from "../client/none.js";
import type { DiscoveredCluster } from "./cluster.js";
import { type ClustersOfHost, MadeServices } from "./made-services.js";

type Clusters = ReadonlyMap<string, DiscoveredCluster>;

export class ServiceBook {
  readonly #clusters: Clusters;
  readonly #services: MadeServices;

  /** @param previous whose services stay the same objects while nothing about them changed */
  constructor(clusters: Clusters, previous?: ServiceBook) {
    this.#clusters = clusters;
    if (previous === undefined) {
      this.#services = new MadeServices(new Map(byHost(clusters.values())), serviceOf, new WeakMap());
    } else this.#services = successor(previous.#services, changedHosts(previous.#clusters, clusters), clusters);
  }

  /** The same map while no service is another one. */
  get byHost(): ReadonlyMap<string, Service> {
    return this.#services;
  }
}

/** @param changed hosts whose clusters are others now */
function successor(previous: MadeServices, changed: ReadonlySet<string>, clusters: Clusters): MadeServices {
  if (changed.size === 0) return previous;
  const now = new Map(byHost([...clusters.values()].filter(({ host }) => changed.has(host))));
  const all = new Map(previous.clusters);
  const { made } = previous;
  let isOther = false;
  for (const host of changed) {
    const [before, after] = [previous.clusters.get(host), now.get(host)];
    if (after === undefined) all.delete(host);
    else all.set(host, after);
    const known = before && made.get(before);
    const service = known ?? (before && serviceOf(host, before));
    if (after === undefined || service === undefined) isOther ||= after !== before;
    else if (!isSame(service, serviceOf(host, after))) isOther = true;
    else if (known !== undefined) made.set(after, known);
  }
  if (isOther) return new MadeServices(all, serviceOf, made);
  previous.clusters = all; // they make the same, and those of before need not stay
  return previous;
}

/** Those that are services. */
function byHost(clusters: Iterable<DiscoveredCluster>): readonly (readonly [host: string, clusters: ClustersOfHost])[] {
  const groups = new Map<string, DiscoveredCluster[]>();
  for (const cluster of clusters) if (isService(cluster)) getOrMake(groups, cluster.host, () => []).push(cluster);
  return Array.from(groups, ([host, group]) => [host, group.length === 1 ? group[0]! : group.slice()]); // of that length
}

/** Hosts with a cluster that came, went or is another. */
function changedHosts(before: Clusters, now: Clusters): ReadonlySet<string> {
  const hosts = new Set<string>();
  for (const [name, cluster] of now) if (before.get(name) !== cluster) hosts.add(cluster.host);
  for (const [name, { host }] of before) if (now.get(name)?.host !== host) hosts.add(host);
  return hosts;
}

/** Envoy's own for what is let through or dropped, and the process's own ports, are none. */
function isService({ name, kind, port }: DiscoveredCluster): boolean {
  return !name.startsWith("inbound|") && !(kind === "asAsked" && port === 0) && name !== "BlackHoleCluster";
}

function serviceOf(host: string, of: ClustersOfHost): Service {
  const clusters = "name" in of ? [of] : of;
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
