/** The instances of one service in one datacenter, by a blocking query of its health. */

import type { Clock, Random, ServiceRef } from "@inmesh/core";
import { type ConsulClient, path } from "../client/consul-client.js";
import { leaseOf } from "../registrar/instance.js";
import { serviceOf } from "../service-name.js";
import { BlockingQuery } from "../watch/blocking-query.js";
import type { Watch } from "../watch/watch.js";
import { mayRead, type Readable } from "./access.js";
import { foreignInstance } from "./foreign-instance.js";
import { type HealthEntry, healthEntries } from "./health-entry.js";
import { type Instance, type ReadInstance, ServiceInstances } from "./service-instances.js";

export interface ServiceWatchOptions {
  readonly client: ConsulClient;
  readonly clock: Clock;
  readonly random: Random;
  /** As Consul has it. */
  readonly name: string;
  /** Another one than is asked by default. */
  readonly dc?: string;
  /** Instances changed, or there is a first answer. @param fewer there are fewer than there were */
  readonly onChange: (fewer?: boolean) => void;
  readonly onSettled: () => void;
}

/** What tells instances of one service. */
export interface InstanceWatch {
  /** The same list until something changes. */
  readonly instances: readonly ReadInstance[];
  readonly watch: Watch;
}

export class ServiceWatch implements InstanceWatch {
  readonly watch: Watch;
  readonly #client: ConsulClient;
  readonly #name: string;
  readonly #instances: ServiceInstances;

  constructor({ client, clock, random, name, dc, onChange, onSettled }: ServiceWatchOptions) {
    this.#client = client;
    this.#name = name;
    const service = serviceOf(name, client.target.namespace);
    this.#instances = new ServiceInstances((entry) => this.#read(entry, service, dc));
    let first = true;
    this.watch = new BlockingQuery({
      ...{ client, clock, random, onSettled },
      path: client.target.connect === true ? path`/health/connect/${name}` : path`/health/service/${name}`,
      ...(dc !== undefined && { query: { dc } }),
      onAnswer: async ({ body }) => {
        const entries = healthEntries(body, client.shown);
        if (entries.length === 0) await mayRead({ client, clock }, this.#vanished());
        const before = this.#instances.all.length;
        const changed = this.#instances.update(entries);
        if (changed || first) onChange(this.#instances.all.length < before);
        first = false;
        return changed;
      },
    });
  }

  get instances(): readonly ReadInstance[] {
    return this.#instances.all;
  }

  /** What the token must be able to read, or that there is nothing left says nothing. */
  #vanished(): readonly Readable[] {
    const nodes = new Set(this.#instances.all.map(({ entry }) => entry.Node.Node));
    if (nodes.size === 0) return [];
    return [
      { resource: "service", segment: this.#name },
      ...Array.from(nodes, (segment): Readable => ({ resource: "node", segment })),
    ];
  }

  /** @returns undefined for one of a name that no call can be addressed to, and not ours */
  #read(entry: HealthEntry, service: ServiceRef | undefined, dc: string | undefined): Instance | undefined {
    const { namespace, warning = "in" } = this.#client.target;
    const lease = leaseOf(entry, { namespace });
    if (lease === undefined)
      return service && { workload: foreignInstance(entry, { service, far: dc !== undefined, warning }) };
    if (dc === undefined || lease.locality !== undefined) return { lease };
    return { lease: { ...lease, locality: { region: dc, zone: "", subZone: "" } } };
  }
}
