/** The plans of all groups as one: every host is of one group. */

import { type Cluster, type ClusterPlan, itself, type Member } from "./cluster-plan.js";

export class HostPlans {
  readonly #byHost: ReadonlyMap<string, ClusterPlan>;

  constructor(plans: Iterable<ClusterPlan>) {
    const byHost = new Map<string, ClusterPlan>();
    for (const plan of plans) for (const host of plan.hosts) byHost.set(host, plan);
    this.#byHost = byHost;
  }

  /** Of every service that is called. */
  get hosts(): Iterable<string> {
    return this.#byHost.keys();
  }

  clusters(host: string): readonly Cluster[] {
    return this.#byHost.get(host)?.clusters(host) ?? [];
  }

  hasGuests(host: string): boolean {
    return this.#byHost.get(host)?.hasGuests(host) ?? false;
  }

  members(host: string): readonly Member[] {
    return this.#byHost.get(host)?.members(host) ?? itself(host);
  }
}
