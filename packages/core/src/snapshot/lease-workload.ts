/** A lease as the compiler takes it. */

import type { Workload } from "@inmesh/model";
import type { Lease } from "./source.js";

export function leaseWorkload(lease: Lease): Workload {
  const { name, namespace, service, address, ports, labels, locality, serviceAccount } = lease;
  const { weight = 1, healthy = true } = lease;
  return {
    ...{ name, namespace, service, address, ports, labels, weight, member: true, healthy },
    ...(locality && { locality }),
    ...(serviceAccount !== undefined && { serviceAccount }),
  };
}
