/** The set as a namespace sees it, by the compiler's own eyes; made once per namespace. */

import { getOrMake } from "../compile/get-or-make.js";
import { ClientView } from "../compile/view.js";
import type { Resource } from "../resource.js";
import type { Workload } from "../snapshot/workload.js";

export interface AnalyzedSet {
  readonly resources: readonly Resource[];
  /** False where nobody runs: which services processes would make exist is then not known. */
  readonly live: boolean;
  viewOf(namespace: string): ClientView;
}

/** Sidecars are left out: what one client may not see is there all the same. */
export function analyzedSet(resources: readonly Resource[], workloads: readonly Workload[]): AnalyzedSet {
  const unscoped = resources.filter(({ kind }) => kind !== "Sidecar");
  const views = new Map<string, ClientView>();
  return {
    resources,
    live: workloads.length > 0,
    viewOf: (namespace) =>
      getOrMake(views, namespace, () => {
        const client = { namespace, service: "", labels: {} };
        return new ClientView({ resources: unscoped, workloads, client }, undefined);
      }),
  };
}
