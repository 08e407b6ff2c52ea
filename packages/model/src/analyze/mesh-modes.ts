/** MeshModes of which only one can hold, and those that hold for nobody. docs/guides/modes.md. */

import { hasLabels } from "../compile/labels.js";
import { modeScope } from "../compile/mesh-mode.js";
import { compareAge } from "../compile/order.js";
import { canonicalJson } from "../document/content-hash.js";
import type { MeshModeSpec } from "../kind/mesh-mode.js";
import type { Resource } from "../resource.js";
import type { Workload } from "../snapshot/workload.js";
import { type Finding, placeOf } from "./finding.js";

const SAME_SCOPE = "IM0305";
/** Istio's NoMatchingWorkloadsFound. */
const NOBODY = "IST0127";

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
    if (workloads.length > 0) checkSelector(resource, labels, workloads, rootNamespace, report);
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

function checkSelector(
  resource: Resource<MeshModeSpec>,
  labels: Readonly<Record<string, string>>,
  workloads: readonly Workload[],
  rootNamespace: string,
  report: Finding,
): void {
  const { namespace } = resource;
  if (modeScope(resource, rootNamespace) !== "workload") return;
  const meant = workloads.some(
    (workload) =>
      (namespace === rootNamespace || workload.namespace === namespace) && hasLabels(workload.labels, labels),
  );
  if (meant) return;
  const where = namespace === rootNamespace ? "of the mesh" : `in namespace "${namespace}"`;
  const wanted = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  const message = `no running process ${where} has the labels ${wanted.join(", ")}: the mode holds for nobody. Compare with: inmesh mode`;
  report(resource, ["spec", "selector", "matchLabels"], NOBODY, "warning", message);
}
