/** Sidecars of which only one can apply. policy-semantics §3.3, §6.8. */

import { compareAge } from "../compile/order.js";
import { canonicalJson } from "../document/content-hash.js";
import type { SidecarSpec } from "../kind/sidecar.js";
import type { Resource } from "../resource.js";
import { type Finding, placeOf } from "./finding.js";

const SAME_SELECTOR = "IST0110";
const NO_SELECTOR = "IST0111";

export function checkSidecars(resources: readonly Resource<SidecarSpec>[], report: Finding): void {
  const groups = new Map<string, Resource<SidecarSpec>[]>();
  for (const resource of [...resources].sort(compareAge)) {
    const key = `${resource.namespace}/${canonicalJson(resource.spec.workloadSelector?.labels ?? {})}`;
    groups.set(key, [...(groups.get(key) ?? []), resource]);
  }
  for (const group of groups.values()) {
    const [used] = group;
    if (used === undefined || group.length < 2) continue;
    const selects = Object.keys(used.spec.workloadSelector?.labels ?? {}).length > 0;
    for (const resource of group) {
      const others = group.filter((other) => other !== resource).map(placeOf);
      const message = `${selects ? "the same workloads are selected" : "the namespace is also covered"} by ${others.join(" and ")}. Only ${used.key} is used. Keep one of them.`;
      report(
        resource,
        ["spec", ...(selects ? ["workloadSelector"] : [])],
        selects ? SAME_SELECTOR : NO_SELECTOR,
        "error",
        message,
      );
    }
  }
}
