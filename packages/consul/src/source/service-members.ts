/**
 * Who stands behind a service: its own instances, and where config entries say so those of other services and datacenters,
 * which are instances of it then, with labels by which its subsets tell them apart.
 */

import type { Lease, ServiceRef } from "@inmesh/core";
import type { Workload } from "@inmesh/model";
import type { Member } from "../config-entry/index.js";
import type { Instance, ReadInstance } from "./service-instances.js";

export interface ServiceMember {
  readonly member: Member;
  /** Of its service, in its datacenter. */
  readonly instances: readonly ReadInstance[];
}

export interface ShownInstances {
  readonly leases: readonly Lease[];
  readonly workloads: readonly Workload[];
}

export class ServiceMembers {
  readonly #service: ServiceRef | undefined;
  /** What one was made into, and by which labels. */
  #made = new Map<ReadInstance, { readonly labels: string; readonly instance: Instance }>();
  #from: readonly unknown[] = [];
  #shown: ShownInstances = { leases: [], workloads: [] };

  constructor(service: ServiceRef | undefined) {
    this.#service = service;
  }

  /** @param meaning what the members' labels follow from: the same object says that they are the same */
  show(members: readonly ServiceMember[], meaning: unknown): ShownInstances {
    const from = [meaning, ...members.map(({ instances }) => instances)];
    if (from.length === this.#from.length && from.every((each, index) => each === this.#from[index]))
      return this.#shown;
    this.#from = from;
    const made = new Map<ReadInstance, { labels: string; instance: Instance }>();
    members.forEach(({ member, instances }, index) => {
      for (const read of instances) {
        const labels = member.labels(read.entry);
        if (labels === undefined) continue;
        const text = JSON.stringify(labels);
        const before = this.#made.get(read);
        made.set(
          read,
          before?.labels === text ? before : { labels: text, instance: this.#make(read, labels, index > 0) },
        );
      }
    });
    this.#made = made;
    const all = [...made.values()].map(({ instance }) => instance);
    this.#shown = {
      leases: oneOfEach(all.flatMap((instance) => ("lease" in instance ? instance.lease : []))),
      workloads: all.flatMap((instance) => ("workload" in instance ? instance.workload : [])),
    };
    return this.#shown;
  }

  #make(read: ReadInstance, more: Readonly<Record<string, string>>, guest: boolean): Instance {
    const plain = Object.keys(more).length === 0;
    if (!guest) {
      if (plain) return read;
      if ("lease" in read) return { lease: { ...read.lease, labels: { ...read.lease.labels, ...more } } };
      return { workload: { ...read.workload, labels: { ...read.workload.labels, ...more } } };
    }
    const { workload } = "workload" in read ? read : { workload: asWorkload(read.lease) };
    return { workload: { ...workload, ...this.#service, labels: { ...workload.labels, ...more } } };
  }
}

/** A process that met several agents in turn is registered with each of them; the registration that it still renews counts. */
function oneOfEach(leases: readonly Lease[]): readonly Lease[] {
  const byName = new Map<string, Lease>();
  for (const lease of leases) {
    const other = byName.get(lease.name);
    if (other === undefined || other.healthy === false) byName.set(lease.name, lease);
  }
  return [...byName.values()];
}

/** It is a process of its own service; here it only stands in. */
function asWorkload(lease: Lease): Workload {
  const {
    name,
    namespace,
    service,
    address,
    ports,
    labels,
    locality,
    serviceAccount,
    weight = 1,
    healthy = true,
  } = lease;
  return {
    ...{ name, namespace, service, address, ports, labels, weight, healthy },
    ...(locality && { locality }),
    ...(serviceAccount !== undefined && { serviceAccount }),
  };
}
