/** A map whose services are made of their clusters when somebody first asks for them: of a thousand a process calls a few. */

import type { Service } from "@inmesh/model";
import { getOrMake } from "@inmesh/model/internal";
import type { DiscoveredCluster } from "./cluster.js";

/** Never empty; alone where it is the only one, as most are. */
export type ClustersOfHost = DiscoveredCluster | readonly DiscoveredCluster[];

export class MadeServices implements ReadonlyMap<string, Service> {
  /** By host. Others may come in their place that make the same services. */
  clusters: ReadonlyMap<string, ClustersOfHost>;
  readonly #make: (host: string, clusters: ClustersOfHost) => Service;
  /** Each stays the same object from then on, also for the next maps while its clusters are the same. */
  readonly made: WeakMap<ClustersOfHost, Service>;

  constructor(
    clusters: ReadonlyMap<string, ClustersOfHost>,
    make: (host: string, clusters: ClustersOfHost) => Service,
    made: WeakMap<ClustersOfHost, Service>,
  ) {
    this.clusters = clusters;
    this.#make = make;
    this.made = made;
  }

  get size(): number {
    return this.clusters.size;
  }

  has(host: string): boolean {
    return this.clusters.has(host);
  }

  get(host: string): Service | undefined {
    const clusters = this.clusters.get(host);
    return clusters && getOrMake(this.made, clusters, () => this.#make(host, clusters));
  }

  keys(): MapIterator<string> {
    return this.clusters.keys();
  }

  *values(): MapIterator<Service> {
    for (const [, service] of this) yield service;
  }

  entries(): MapIterator<[string, Service]> {
    return this[Symbol.iterator]();
  }

  *[Symbol.iterator](): MapIterator<[string, Service]> {
    for (const host of this.clusters.keys()) {
      const service = this.get(host);
      if (service !== undefined) yield [host, service];
    }
  }

  forEach(visit: (service: Service, host: string, all: ReadonlyMap<string, Service>) => void): void {
    for (const [host, service] of this) visit(service, host, this);
  }
}
