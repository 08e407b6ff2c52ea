/** Whom a security policy is for: a selector, or targets, never both. policy-semantics §4.4; the CRDs of Istio. */

import type { PolicyTargetSpec } from "../kind/policy-target.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { labelValueFault } from "./name-syntax.js";
import type { Report } from "./report.js";
import { checkCount, checkSelector } from "./shared-rules.js";

interface Meant {
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> | undefined } | undefined;
  readonly targetRef?: PolicyTargetSpec | undefined;
  readonly targetRefs?: readonly PolicyTargetSpec[] | undefined;
}

const MOST = { targets: 16, name: 253, label: 63 };
const GATEWAY_API = "gateway.networking.k8s.io";
/** As Istio knows them. */
const TARGETS = [
  "/Service",
  "networking.istio.io/ServiceEntry",
  `${GATEWAY_API}/Gateway`,
  `${GATEWAY_API}/GatewayClass`,
];

export function checkPolicyTarget({ selector, targetRef, targetRefs }: Meant, path: Path, report: Report): void {
  const ways = [
    ["selector", selector],
    ["targetRef", targetRef],
    ["targetRefs", targetRefs?.length === 0 ? undefined : targetRefs],
  ].flatMap(([name, value]) => (value === undefined ? [] : [String(name)]));
  if (ways.length > 1) {
    report.error(path, `it says both ${ways.join(" and ")}. Keep one of them.`);
  }
  if (selector !== undefined) checkWorkloadSelector(selector.matchLabels, [...path, "selector"], report);
  if (targetRef !== undefined) checkTarget(targetRef, [...path, "targetRef"], report);
  checkCount(targetRefs ?? [], MOST.targets, [...path, "targetRefs"], report);
  for (const [index, target] of (targetRefs ?? []).entries())
    checkTarget(target, [...path, "targetRefs", index], report);
}

export function checkWorkloadSelector(
  labels: Readonly<Record<string, string>> | undefined,
  path: Path,
  report: Report,
): void {
  checkSelector(labels, path, report);
  for (const [key, value] of Object.entries(labels ?? {})) {
    // No label of a workload can be that long, so nothing would ever be selected.
    if (value.length > MOST.label)
      report.check([...path, "matchLabels", key], labelValueFault(value) ?? tooLong(value));
  }
}

function tooLong(value: string): string {
  return `label value ${quote(value)} is longer than ${MOST.label}. Shorten it.`;
}

function checkTarget(
  { group = "", kind = "", name = "", namespace = "" }: PolicyTargetSpec,
  path: Path,
  report: Report,
) {
  if (!TARGETS.includes(`${group === "core" ? "" : group}/${kind}`)) {
    const known = TARGETS.map((target) => target.replace(/^\//, "")).join(", ");
    report.error(
      path,
      `${quote(group === "" ? kind : `${group}/${kind}`)} is no target; expected one of ${known}. Correct it.`,
    );
  }
  if (name === "" || name.length > MOST.name) {
    report.error(
      name === "" ? path : [...path, "name"],
      `${quote(name)} is no name. Write that of the ${kind || "target"}.`,
    );
  }
  if (namespace !== "") {
    report.error([...path, "namespace"], "a target lies in the policy's own namespace. Remove the field.");
  }
}
