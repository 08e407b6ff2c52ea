/** Services whose instances are told: one watch each, and one more for every other datacenter that policy names for it. */

import type { Clock, Lease, Random } from "@inmesh/core";
import type { Workload } from "@inmesh/model";
import type { ConsulClient } from "../client/consul-client.js";
import type { Watch } from "../watch/watch.js";
import { QueryWatch } from "./query-watch.js";
import { type InstanceWatch, ServiceWatch } from "./service-watch.js";

export interface InstanceWatchesOptions {
  readonly client: ConsulClient;
  readonly clock: Clock;
  readonly random: Random;
  /** Instances changed, or whether they are told. */
  readonly onChange: () => void;
  readonly onSettled: () => void;
}

interface Told {
  usedAt: number;
  /** By datacenter; "" is the one that is asked by default. */
  readonly watches: Map<string, InstanceWatch>;
}

/** A service that nobody called for so long is watched no more, in ms. */
const IDLE_MS = 3_600_000;

export class InstanceWatches {
  readonly #options: InstanceWatchesOptions;
  readonly #queries: ReadonlySet<string>;
  readonly #told = new Map<string, Told>();
  /** Other datacenters by service. */
  #datacenters: ReadonlyMap<string, readonly string[]> = new Map();
  #started = false;

  constructor(options: InstanceWatchesOptions) {
    this.#options = options;
    this.#queries = new Set(options.client.target.queries);
  }

  start(): void {
    this.#started = true;
    for (const watch of this.watches) watch.start();
  }

  /** @param name as Consul has it */
  use(name: string): void {
    const told = this.#told.get(name) ?? this.#open(name);
    told.usedAt = this.#options.clock.now();
  }

  /** These and no others, used or not. */
  only(names: readonly string[]): void {
    const wanted = new Set(names);
    for (const name of wanted) if (!this.#told.has(name)) this.#open(name);
    for (const name of [...this.#told.keys()]) if (!wanted.has(name)) this.#drop(name);
  }

  dropIdle(): void {
    const now = this.#options.clock.now();
    for (const [name, { usedAt }] of [...this.#told]) if (now - usedAt > IDLE_MS) this.#drop(name);
  }

  reach(datacenters: ReadonlyMap<string, readonly string[]>): void {
    this.#datacenters = datacenters;
    for (const [name, told] of this.#told) this.#spread(name, told);
  }

  isTold(name: string): boolean {
    return this.#told.get(name)?.watches.get("")?.watch.answered === true;
  }

  get all(): readonly InstanceWatch[] {
    return [...this.#told.values()].flatMap(({ watches }) => [...watches.values()]);
  }

  get watches(): readonly Watch[] {
    return this.all.map(({ watch }) => watch);
  }

  get leases(): Lease[] {
    return this.all.flatMap(({ leases }) => leases);
  }

  get workloads(): Workload[] {
    return this.all.flatMap(({ workloads }) => workloads);
  }

  #open(name: string): Told {
    const told: Told = { usedAt: this.#options.clock.now(), watches: new Map() };
    this.#told.set(name, told);
    this.#spread(name, told);
    return told;
  }

  #spread(name: string, { watches }: Told): void {
    const wanted = new Set(["", ...(this.#datacenters.get(name) ?? [])]);
    for (const dc of wanted) {
      if (watches.has(dc)) continue;
      const made = this.#watch(name, dc);
      watches.set(dc, made);
      if (this.#started) made.watch.start();
    }
    for (const [dc, { watch }] of [...watches]) {
      if (wanted.has(dc)) continue;
      watch.close();
      watches.delete(dc);
      this.#options.onChange();
    }
  }

  #watch(name: string, dc: string): InstanceWatch {
    const options = { ...this.#options, name };
    if (dc === "" && this.#queries.has(name)) return new QueryWatch(options);
    return new ServiceWatch({ ...options, ...(dc !== "" && { dc }) });
  }

  #drop(name: string): void {
    for (const { watch } of this.#told.get(name)?.watches.values() ?? []) watch.close();
    this.#told.delete(name);
    this.#options.onChange();
  }
}
