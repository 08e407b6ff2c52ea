/** Documents that choose workloads by label, where none that runs has the labels. */

import { hasLabels, type Labels } from "../compile/labels.js";
import type { Resource } from "../resource.js";
import type { Workload } from "../snapshot/workload.js";
import type { Finding } from "./finding.js";

/** Istio's NoMatchingWorkloadsFound. */
const NOBODY = "IST0127";

/**
 * @param labels of the selector
 * @param rootNamespace documents of it choose in every namespace
 * @param consequence `the mode holds for nobody. Compare with: inmesh mode`
 */
export function checkSelected(
  resource: Resource,
  labels: Labels,
  workloads: readonly Workload[],
  rootNamespace: string,
  consequence: string,
  report: Finding,
): void {
  const { namespace } = resource;
  const meant = workloads.some(
    (workload) =>
      (namespace === rootNamespace || workload.namespace === namespace) && hasLabels(workload.labels, labels),
  );
  if (meant) return;
  const where = namespace === rootNamespace ? "of the mesh" : `in namespace "${namespace}"`;
  const wanted = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  const message = `no running process ${where} has the labels ${wanted.join(", ")}: ${consequence}`;
  report(resource, ["spec", "selector", "matchLabels"], NOBODY, "warning", message);
}
