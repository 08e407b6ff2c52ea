/** Running instances as policy sees them: workloads of their services. */

import type { RegistryView } from "@inmesh/core";
import { leaseWorkload } from "@inmesh/core/internal";
import type { Workload } from "@inmesh/model";

/** Processes of the mesh, and what others registered. */
export function workloadsOf({ leases, workloads = [] }: Pick<RegistryView, "leases" | "workloads">): Workload[] {
  return [...leases.map(leaseWorkload), ...workloads];
}
