/** Instances of a view that can be called, whoever registered them. */

import { endpointId, type Workload } from "@inmesh/model";
import type { Lease, RegistryView } from "./source.js";

export interface Instance {
  /** The view's own object. */
  readonly item: Lease | Workload;
  /** `namespace/service`. */
  readonly service: string;
}

/** By `instanceKey`: healthy ones with a port. */
export function callableInstances({ leases, workloads = [] }: RegistryView): Map<string, Instance> {
  const found = new Map<string, Instance>();
  for (const lease of leases) {
    if (lease.ports.length === 0 || lease.healthy === false) continue;
    found.set(instanceKey(lease), { item: lease, service: `${lease.namespace}/${lease.service}` });
  }
  for (const workload of workloads) {
    const { namespace, service, healthy, ports } = workload;
    if (service === undefined || !healthy || ports.length === 0) continue;
    found.set(instanceKey(workload), { item: workload, service: `${namespace}/${service}` });
  }
  return found;
}

export function instanceKey(item: Lease | Workload): string {
  return isLease(item) ? `lease ${item.name}` : `workload ${item.namespace}/${item.service ?? ""}/${item.name}`;
}

export function isLease(item: Lease | Workload): item is Lease {
  return "instance" in item;
}

/** `address:port` of each of its ports. */
export function endpointsOf({ address, ports }: Lease | Workload): string[] {
  return ports.map(({ number }) => endpointId(address, number));
}

/** By `namespace/service`. */
export function countByService(instances: Iterable<Instance>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { service } of instances) counts.set(service, (counts.get(service) ?? 0) + 1);
  return counts;
}
