/** Instances of one Consul service: those of the mesh and those of others. What did not change keeps its object. */

import type { Lease } from "@inmesh/core";
import type { Workload } from "@inmesh/model";
import { statusOf } from "../registrar/check.js";
import type { HealthEntry } from "./health-entry.js";

export type Instance = { readonly lease: Lease } | { readonly workload: Workload };

export class ServiceInstances {
  /** @returns undefined for one that is nobody's to call or to list */
  readonly #read: (entry: HealthEntry) => Instance | undefined;
  #known = new Map<string, { readonly content: string; readonly instance: Instance | undefined }>();
  #entries: readonly HealthEntry[] = [];
  leases: readonly Lease[] = [];
  workloads: readonly Workload[] = [];

  constructor(read: (entry: HealthEntry) => Instance | undefined) {
    this.#read = read;
  }

  /** What they were made of. */
  get entries(): readonly HealthEntry[] {
    return this.#entries;
  }

  /** @returns whether anything changed that a reader sees */
  update(entries: readonly HealthEntry[]): boolean {
    const known = new Map<string, { content: string; instance: Instance | undefined }>();
    let changed = false;
    for (const entry of entries) {
      const id = `${entry.Node.Node}/${entry.Service.ID}`;
      const content = contentOf(entry);
      const before = this.#known.get(id);
      if (before?.content === content) known.set(id, before);
      else {
        changed = true;
        known.set(id, { content, instance: this.#read(entry) });
      }
    }
    this.#entries = entries;
    if (!changed && known.size === this.#known.size) return false;
    this.#known = known;
    const instances = [...known.values()].flatMap(({ instance }) => instance ?? []);
    this.leases = instances.flatMap((instance) => ("lease" in instance ? instance.lease : []));
    this.workloads = instances.flatMap((instance) => ("workload" in instance ? instance.workload : []));
    return true;
  }
}

/** All that is read of it, in one text; not the output of checks, which changes at every check. */
function contentOf(entry: HealthEntry): string {
  const { Node, Service } = entry;
  const { ID, Address, Port, Tags, Meta, TaggedAddresses, Weights } = Service;
  const service = [ID, Service.Service, Address, Port, Tags, Meta, TaggedAddresses, Weights];
  const node = [Node.Node, Node.Address, Node.Datacenter, Node.TaggedAddresses, Node.Meta];
  return JSON.stringify([statusOf(entry.Checks), service, node]);
}
