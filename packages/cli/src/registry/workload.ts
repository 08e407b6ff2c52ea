/** Running instances as policy sees them: workloads of their services. */

import type { Lease, RegistryView } from "@inmesh/core";
import type { Workload } from "@inmesh/model";

/** Processes of the mesh, and what others registered. */
export function workloadsOf({ leases, workloads = [] }: Pick<RegistryView, "leases" | "workloads">): Workload[] {
  return [...leases.map(workloadOf), ...workloads];
}

function workloadOf(lease: Lease): Workload {
  const { name, namespace, service, address, ports, labels, locality, serviceAccount } = lease;
  const { weight = 1, healthy = true } = lease;
  return {
    ...{ name, namespace, service, address, ports, labels, weight, healthy },
    ...(locality && { locality }),
    ...(serviceAccount !== undefined && { serviceAccount }),
  };
}
