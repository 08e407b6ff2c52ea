/** A lease as policy sees it: a workload of its service. */

import type { Lease } from "@inmesh/core";
import type { Workload } from "@inmesh/model";

export function workloadOf(lease: Lease): Workload {
  const { name, namespace, service, address, ports, labels, locality, serviceAccount } = lease;
  return {
    ...{ name, namespace, service, address, ports, labels, weight: 1, healthy: true },
    ...(locality && { locality }),
    ...(serviceAccount !== undefined && { serviceAccount }),
  };
}
