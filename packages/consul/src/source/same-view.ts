/** Whether two views hold the same objects: then there is nothing to tell. */

import type { RegistryView } from "@inmesh/core";
import { sameItems } from "@inmesh/core/internal";

export function sameView(a: RegistryView, b: RegistryView): boolean {
  return (
    sameItems(a.documents, b.documents) &&
    sameItems(a.leases, b.leases) &&
    sameItems(a.workloads, b.workloads) &&
    sameItems(a.services, b.services) &&
    sameItems(a.problems, b.problems)
  );
}
