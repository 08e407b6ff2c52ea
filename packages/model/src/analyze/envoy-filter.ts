/** What Istio's validation says of an EnvoyFilter. What it patches, only Envoy can judge. policy-semantics §3.6. */

import type { EnvoyFilterSpec } from "../kind/envoy-filter.js";
import type { Report } from "../validate/report.js";
import { checkSelector } from "../validate/shared-rules.js";

export function checkEnvoyFilter({ workloadSelector, configPatches = [] }: EnvoyFilterSpec, report: Report): void {
  report.warn(
    ["spec"],
    "an EnvoyFilter rests on the inside of one version of Envoy, and there is none here. Use the other kinds where they can say it.",
  );
  if (workloadSelector !== undefined) checkSelector(workloadSelector.labels, ["spec", "workloadSelector"], report);
  for (const [index, { applyTo = "INVALID", patch }] of configPatches.entries()) {
    const at = ["spec", "configPatches", index];
    const operation = patch?.operation ?? "INVALID";
    if (applyTo === "INVALID") report.error(at, "the patch names nothing that it applies to. Add applyTo.");
    else if (patch === undefined) report.error(at, "the patch is missing. Add patch, with an operation and a value.");
    else if (operation === "INVALID")
      report.error([...at, "patch"], "the patch has no operation. Add one, such as MERGE.");
    else if (operation !== "REMOVE" && patch.value === undefined) {
      report.error([...at, "patch"], `operation ${operation} needs a value. Add it.`);
    }
  }
}
