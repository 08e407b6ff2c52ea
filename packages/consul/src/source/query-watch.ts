/**
 * A prepared query as a service: its instances are wherever Consul finds some, in this datacenter or the next that has any.
 * Consul does not hold questions for it, so it is asked every few seconds.
 */

import { path } from "../client/consul-client.js";
import { ConsulError } from "../client/consul-error.js";
import { record } from "../registrar/read.js";
import { serviceOf } from "../service-name.js";
import { Poll } from "../watch/poll.js";
import type { Watch } from "../watch/watch.js";
import { mayRead, type Readable } from "./access.js";
import { foreignInstance } from "./foreign-instance.js";
import { healthEntries } from "./health-entry.js";
import { type ReadInstance, ServiceInstances } from "./service-instances.js";
import type { InstanceWatch, ServiceWatchOptions } from "./service-watch.js";

export class QueryWatch implements InstanceWatch {
  readonly watch: Watch;
  readonly #instances: ServiceInstances;
  #far = false;

  constructor({ client, clock, random, name, onChange, onSettled }: Omit<ServiceWatchOptions, "dc">) {
    const { namespace, warning = "in" } = client.target;
    const service = serviceOf(name, namespace);
    // Also those of the mesh: they stand here for the query's name, not for their own service.
    this.#instances = new ServiceInstances(
      (entry) => service && { workload: foreignInstance(entry, { service, far: this.#far, warning }) },
    );
    let first = true;
    this.watch = new Poll({
      ...{ client, clock, random, onSettled },
      path: path`/query/${name}/execute`,
      onAnswer: async ({ status, body }) => {
        if (status === 404)
          throw new ConsulError("refused", `${client.shown} has no prepared query ${name}`, { status });
        const { Nodes: nodes, Failovers: failovers, Service: asked } = record(body);
        const entries = healthEntries(nodes ?? [], client.shown);
        if (entries.length === 0) await mayRead({ client, clock }, this.#vanished(asked));
        this.#far = typeof failovers === "number" && failovers > 0;
        const changed = this.#instances.update(entries);
        if (changed || first) onChange();
        first = false;
        return changed;
      },
    });
  }

  get instances(): readonly ReadInstance[] {
    return this.#instances.all;
  }

  #vanished(service: unknown): readonly Readable[] {
    if (this.#instances.all.length === 0 || typeof service !== "string") return [];
    return [{ resource: "service", segment: service }];
  }
}
