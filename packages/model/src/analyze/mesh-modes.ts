/** MeshModes of which only one can hold, and those that hold for nobody. docs/guides/modes.md. */

import { modeScope } from "../compile/mesh-mode.js";
import { compareAge } from "../compile/order.js";
import { canonicalJson } from "../document/content-hash.js";
import type { MeshModeSpec } from "../kind/mesh-mode.js";
import type { Resource } from "../resource.js";
import type { Workload } from "../snapshot/workload.js";
import { type Finding, placeOf } from "./finding.js";
import { checkSelected } from "./selected-workloads.js";

const SAME_SCOPE = "IM0305";
const NOBODY_MEANT = "the mode holds for nobody. Compare with: inmesh mode";

/** @param workloads running processes; without any, whoever is selected may still come */
export function checkMeshModes(
  resources: readonly Resource<MeshModeSpec>[],
  workloads: readonly Workload[],
  rootNamespace: string,
  report: Finding,
): void {
  const groups = new Map<string, Resource<MeshModeSpec>[]>();
  for (const resource of [...resources].sort(compareAge)) {
    const labels = resource.spec.selector?.matchLabels ?? {};
    const key = `${resource.namespace}/${canonicalJson(labels)}`;
    groups.set(key, [...(groups.get(key) ?? []), resource]);
    if (workloads.length > 0 && modeScope(resource, rootNamespace) === "workload") {
      checkSelected(resource, labels, workloads, rootNamespace, NOBODY_MEANT, report);
    }
  }
  for (const group of groups.values()) {
    const [used] = group;
    if (used === undefined || group.length < 2) continue;
    for (const resource of group) {
      const others = group.filter((other) => other !== resource).map(placeOf);
      const scope = WORDS[modeScope(resource, rootNamespace)];
      const message = `the mode of ${scope} is also set by ${others.join(" and ")}. Only ${used.key}, the older one, holds. Keep one of them.`;
      report(resource, ["spec", "mode"], SAME_SCOPE, "error", message);
    }
  }
}

const WORDS = { mesh: "the mesh", namespace: "the namespace", workload: "the same workloads" } as const;
