/** The instances of one service in use, by one blocking query of its health. */

import type { Clock, Lease, Random, ServiceRef } from "@inmesh/core";
import type { Workload } from "@inmesh/model";
import { type ConsulClient, path } from "../client/consul-client.js";
import { leaseOf } from "../registrar/instance.js";
import { serviceOf } from "../service-name.js";
import { BlockingQuery } from "../watch/blocking-query.js";
import { foreignInstance } from "./foreign-instance.js";
import { type HealthEntry, healthEntries } from "./health-entry.js";
import { type Instance, ServiceInstances } from "./service-instances.js";

export interface ServiceWatchOptions {
  readonly client: ConsulClient;
  readonly clock: Clock;
  readonly random: Random;
  /** As Consul has it. */
  readonly name: string;
  readonly onChange: () => void;
  readonly onSettled: () => void;
}

export class ServiceWatch {
  /** Clock ms of the last use. */
  usedAt: number;
  readonly #query: BlockingQuery;
  readonly #instances: ServiceInstances;

  constructor({ client, clock, random, name, onChange, onSettled }: ServiceWatchOptions) {
    const { target, shown } = client;
    this.usedAt = clock.now();
    const service = serviceOf(name, target.namespace);
    const warning = target.warning ?? "in";
    this.#instances = new ServiceInstances((entry) => readInstance(entry, service, target.namespace, warning));
    let first = true;
    this.#query = new BlockingQuery({
      ...{ client, clock, random, onSettled },
      path: path`/health/service/${name}`,
      onAnswer: ({ body }) => {
        const changed = this.#instances.update(healthEntries(body, shown));
        if (changed || first) onChange();
        first = false;
        return changed;
      },
    });
  }

  get leases(): readonly Lease[] {
    return this.#instances.leases;
  }

  get workloads(): readonly Workload[] {
    return this.#instances.workloads;
  }

  get answered(): boolean {
    return this.#query.answered;
  }

  get failure(): Error | undefined {
    return this.#query.failure;
  }

  start(): void {
    this.#query.start();
  }

  renew(): void {
    this.#query.renew();
  }

  close(): void {
    this.#query.close();
  }
}

/** Undefined: of a name that no call can be addressed to, and not ours. */
function readInstance(
  entry: HealthEntry,
  service: ServiceRef | undefined,
  namespace: string,
  warning: "in" | "out",
): Instance | undefined {
  const lease = leaseOf(entry, { namespace });
  if (lease !== undefined) return { lease };
  return service && { workload: foreignInstance(entry, { service, far: false, warning }) };
}
