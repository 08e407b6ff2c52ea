/** What Istio's validation demands of a DestinationRule beyond its schema. policy-semantics §6.4. */

import type { DestinationRuleSpec } from "../kind/destination-rule.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { subsetNameFault } from "./destination.js";
import { hostFault } from "./name-syntax.js";
import type { Report } from "./report.js";
import { checkExportTo, checkLabels, checkSelector } from "./shared-rules.js";
import { checkTrafficPolicy } from "./traffic-policy.js";

export function checkDestinationRule(spec: DestinationRuleSpec, path: Path, report: Report): void {
  const { host = "", subsets = [], workloadSelector } = spec;
  report.check(host === "" ? path : [...path, "host"], hostFault(host));
  checkTrafficPolicy(spec.trafficPolicy, [...path, "trafficPolicy"], report);
  const names = new Set<string>();
  for (const [index, { name = "", labels, trafficPolicy }] of subsets.entries()) {
    const at = [...path, "subsets", index];
    if (names.has(name)) report.error([...at, "name"], `subset ${quote(name)} is there twice. Rename one.`);
    names.add(name);
    report.check(name === "" ? at : [...at, "name"], subsetNameFault(name));
    checkLabels(labels, [...at, "labels"], report);
    checkTrafficPolicy(trafficPolicy, [...at, "trafficPolicy"], report);
  }
  checkExportTo(spec.exportTo, [...path, "exportTo"], report, { ownNamespaceOnly: workloadSelector !== undefined });
  if (workloadSelector !== undefined) {
    checkSelector(workloadSelector.matchLabels, [...path, "workloadSelector"], report);
  }
}
