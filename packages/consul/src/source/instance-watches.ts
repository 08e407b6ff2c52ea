/** Services whose instances are told: one watch each, and one for every other that stands behind it. */

import type { Clock, Lease, Random } from "@inmesh/core";
import type { Workload } from "@inmesh/model";
import type { ConsulClient } from "../client/consul-client.js";
import type { Member, NeededInstances } from "../config-entry/index.js";
import { CALLERS_SERVICE, serviceOf } from "../service-name.js";
import type { Watch } from "../watch/watch.js";
import { QueryWatch } from "./query-watch.js";
import { ServiceMembers } from "./service-members.js";
import { type InstanceWatch, ServiceWatch } from "./service-watch.js";

export interface InstanceWatchesOptions {
  readonly client: ConsulClient;
  readonly clock: Clock;
  readonly random: Random;
  /** Instances changed, or whether they are told. @param fewer there are fewer of a service than there were */
  readonly onChange: (fewer?: boolean) => void;
  readonly onSettled: () => void;
}

/** What policy says of who stands behind a service; a new object when it says something else. */
export interface Standing {
  /** Its own instances first. @param service as Consul has it */
  members(service: string): readonly Member[];
  /** Whose instances a call to it may need, itself first. */
  needs(service: string): readonly NeededInstances[];
}

const ITSELF: Standing = {
  members: (service) => [{ service, labels: () => NONE }],
  needs: (service) => [{ service }],
};
const NONE = Object.freeze({});

/** A service that nobody called for so long is watched no more, in ms. */
const IDLE_MS = 3_600_000;

export class InstanceWatches {
  readonly #options: InstanceWatchesOptions;
  readonly #queries: ReadonlySet<string>;
  /** When each was last used, by its name in Consul. */
  readonly #usedAt = new Map<string, number>();
  readonly #watches = new Map<string, InstanceWatch>();
  readonly #members = new Map<string, ServiceMembers>();
  /** Stays with those that were told once: who comes to stand behind them later is no reason to wait. */
  readonly #told = new Set<string>();
  #standing = ITSELF;
  #started = false;

  constructor(options: InstanceWatchesOptions) {
    this.#options = options;
    this.#queries = new Set(options.client.target.queries);
  }

  start(): void {
    this.#started = true;
    for (const watch of this.watches) watch.start();
  }

  /** As Consul has them. */
  get used(): Iterable<string> {
    return this.#usedAt.keys();
  }

  /** @param name as Consul has it @returns whether it was in no use before */
  use(name: string): boolean {
    const known = this.#usedAt.has(name);
    this.#usedAt.set(name, this.#options.clock.now());
    if (!known) this.#reconcile();
    return !known;
  }

  /** These and no others, used or not. */
  only(names: readonly string[]): void {
    this.#usedAt.clear();
    for (const name of names) this.#usedAt.set(name, 0);
    this.#reconcile();
  }

  /** @returns whether there were any */
  dropIdle(): boolean {
    const now = this.#options.clock.now();
    const before = this.#usedAt.size;
    for (const [name, usedAt] of [...this.#usedAt]) if (now - usedAt > IDLE_MS) this.#usedAt.delete(name);
    this.#reconcile();
    return this.#usedAt.size < before;
  }

  /** @param standing undefined: nobody stands behind a service but its own */
  follow(standing: Standing = ITSELF): void {
    if (standing === this.#standing) return;
    this.#standing = standing;
    this.#reconcile();
  }

  /** Whether all that can be called under its name is told, as far as it can be. */
  isTold(name: string): boolean {
    if (this.#told.has(name)) return true;
    const told = this.#standing.members(name).every((member, index) => {
      const watch = this.#watches.get(keyOf(member))?.watch;
      return watch !== undefined && (watch.answered || (index > 0 && watch.failure !== undefined));
    });
    if (told) this.#told.add(name);
    return told;
  }

  get watches(): readonly Watch[] {
    return Array.from(this.#watches.values(), ({ watch }) => watch);
  }

  /** @param mayCall whether those of a service are to be shown, by its name in Consul */
  shown(mayCall: (name: string) => boolean): { readonly leases: Lease[]; readonly workloads: Workload[] } {
    const leases: Lease[] = [];
    const workloads: Workload[] = [];
    for (const [name, shown] of this.#members) {
      if (!mayCall(name)) continue;
      const members = this.#standing.members(name).flatMap((member) => {
        const instances = this.#watches.get(keyOf(member))?.instances;
        return instances === undefined ? [] : [{ member, instances }];
      });
      const one = shown.show(members, this.#standing);
      leases.push(...one.leases);
      workloads.push(...one.workloads);
    }
    return { leases, workloads };
  }

  #reconcile(): void {
    const wanted = new Map<string, NeededInstances>();
    for (const name of this.#usedAt.keys())
      for (const needed of this.#standing.needs(name)) wanted.set(keyOf(needed), needed);
    for (const [key, needed] of wanted) if (!this.#watches.has(key)) this.#open(key, needed);
    const before = this.#watches.size;
    for (const [key, { watch }] of [...this.#watches]) {
      if (wanted.has(key)) continue;
      watch.close();
      this.#watches.delete(key);
      this.#members.delete(key);
      this.#told.delete(key);
    }
    if (this.#watches.size < before) this.#options.onChange();
  }

  #open(key: string, { service: name, dc }: NeededInstances): void {
    const options = { ...this.#options, name };
    const query = dc === undefined && this.#queries.has(name);
    const opened = query ? new QueryWatch(options) : new ServiceWatch({ ...options, ...(dc !== undefined && { dc }) });
    this.#watches.set(key, opened);
    if (dc === undefined) {
      const service = name === CALLERS_SERVICE ? undefined : serviceOf(name, this.#options.client.target.namespace);
      this.#members.set(key, new ServiceMembers(service));
    }
    if (this.#started) opened.watch.start();
  }
}

/** The name alone for the datacenter that is asked by default: names have no `@`, as far as calls go there. */
function keyOf({ service, dc }: NeededInstances): string {
  return dc === undefined ? service : `${service}@${dc}`;
}
