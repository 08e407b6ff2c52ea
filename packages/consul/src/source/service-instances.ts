/** Instances of one Consul service as it was read. What did not change keeps its object. */

import type { Lease } from "@inmesh/core";
import type { Workload } from "@inmesh/model";
import { isLeaving, statusOf } from "../registrar/check.js";
import type { HealthEntry } from "./health-entry.js";

/** One of the mesh, or one that others registered. */
export type Instance = { readonly lease: Lease } | { readonly workload: Workload };

/** With what Consul says of it. */
export type ReadInstance = Instance & { readonly entry: HealthEntry };

interface Known {
  readonly content: string;
  /** Undefined: nobody's to call or to list. */
  readonly read: ReadInstance | undefined;
}

export class ServiceInstances {
  readonly #read: (entry: HealthEntry) => Instance | undefined;
  #known = new Map<string, Known>();
  #all: readonly ReadInstance[] = [];

  constructor(read: (entry: HealthEntry) => Instance | undefined) {
    this.#read = read;
  }

  /** The same list until something changes. */
  get all(): readonly ReadInstance[] {
    return this.#all;
  }

  /** @returns whether anything changed that a reader sees */
  update(entries: readonly HealthEntry[]): boolean {
    const known = new Map<string, Known>();
    let changed = entries.length !== this.#known.size;
    for (const entry of entries) {
      const id = `${entry.Node.Node}/${entry.Service.ID}`;
      const content = contentOf(entry);
      const before = this.#known.get(id);
      if (before?.content === content) known.set(id, before);
      else {
        changed = true;
        const instance = this.#read(entry);
        known.set(id, { content, read: instance && { ...instance, entry } });
      }
    }
    if (!changed) return false;
    this.#known = known;
    this.#all = [...known.values()].flatMap(({ read }) => read ?? []);
    return true;
  }
}

/** All that is read of it, in one text; not what else checks say, which changes at every check. */
function contentOf(entry: HealthEntry): string {
  const { Node, Service } = entry;
  const { ID, Kind, Address, Port, Tags, Meta, TaggedAddresses, Weights } = Service;
  const service = [ID, Kind, Service.Service, Address, Port, Tags, Meta, TaggedAddresses, Weights];
  const node = [Node.Node, Node.Address, Node.Datacenter, Node.TaggedAddresses, Node.Meta];
  return JSON.stringify([statusOf(entry.Checks), isLeaving(entry.Checks), service, node]);
}
