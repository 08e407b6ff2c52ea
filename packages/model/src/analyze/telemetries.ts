/** Telemetries that mean nobody, contradict each other, or name what MeshConfig does not have. policy-semantics §3.7 and §6.8. */

import { celFault } from "../cel/compile.js";
import { hasLabels } from "../compile/labels.js";
import { compareAge } from "../compile/order.js";
import { selectorOf } from "../compile/security-documents.js";
import { standardMetric, type TelemetryDocument } from "../compile/telemetry.js";
import type { TelemetrySettings } from "../compile/telemetry-settings.js";
import { canonicalJson } from "../document/content-hash.js";
import { hasTargets } from "../kind/policy-target.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import type { Workload } from "../snapshot/workload.js";
import { nearestName } from "../validate/nearest-name.js";
import { type Finding, placeOf, suggestion } from "./finding.js";
import { checkSelected } from "./selected-workloads.js";

/** Istio's. */
const NO_PROVIDER = "IST0157";
const SAME_WORKLOADS = "IST0159";
const TWO_WITHOUT_SELECTOR = "IST0160";

const UNKNOWN_TAG = "IM0902";
const FOR_TARGETS = "IM0904";
const SELECTS_FROM_ROOT = "IM0905";
const UNKNOWN_PROVIDER = "IM0906";
const UNKNOWN_METRIC = "IM0907";

export interface TelemetryContext {
  readonly workloads: readonly Workload[];
  readonly rootNamespace: string;
  readonly settings: TelemetrySettings;
}

export function checkTelemetries(
  documents: readonly TelemetryDocument[],
  context: TelemetryContext,
  report: Finding,
): void {
  const sorted = [...documents].sort(compareAge).filter((document) => {
    if (!hasTargets(document.spec)) return true;
    const message =
      "what has targets is for gateways and waypoints, and there are none here: no process acts on this Telemetry. Write a selector in their place.";
    report(document, ["spec"], FOR_TARGETS, "warning", message);
    return false;
  });
  checkScopes(sorted, context, report);
  for (const document of sorted) {
    checkWhomItMeans(document, context, report);
    checkProviders(document, context.settings, report);
    checkMetrics(document, report);
  }
}

/** Without selector the oldest holds; with one, both hold, and whose fields win is an accident of age. */
function checkScopes(
  sorted: readonly TelemetryDocument[],
  { workloads }: Pick<TelemetryContext, "workloads">,
  report: Finding,
): void {
  for (const document of sorted) {
    const labels = selectorOf(document);
    const others = sorted.filter((other) => other !== document && other.namespace === document.namespace);
    if (Object.keys(labels).length === 0) {
      const same = others.filter((other) => Object.keys(selectorOf(other)).length === 0);
      if (same.length === 0) continue;
      const holds = sorted.find((each) => each === document || same.includes(each));
      const message = `${same.map(placeOf).join(" and ")} also ${same.length === 1 ? "speaks" : "speak"} for all of namespace "${document.namespace}". Only ${holds?.key}, the oldest, holds. Keep one of them.`;
      report(document, ["spec"], TWO_WITHOUT_SELECTOR, "error", message);
      continue;
    }
    const overlapping = others.filter((other) => {
      const theirs = selectorOf(other);
      if (Object.keys(theirs).length === 0) return false;
      if (canonicalJson(theirs) === canonicalJson(labels)) return true;
      return workloads.some(
        (workload) =>
          workload.namespace === document.namespace &&
          hasLabels(workload.labels, labels) &&
          hasLabels(workload.labels, theirs),
      );
    });
    if (overlapping.length === 0) continue;
    const message = `${overlapping.map(placeOf).join(" and ")} ${overlapping.length === 1 ? "selects" : "select"} workloads that this one selects, too: fields of the younger win. Write one Telemetry for them.`;
    report(document, ["spec", "selector"], SAME_WORKLOADS, "error", message);
  }
}

function checkWhomItMeans(
  document: TelemetryDocument,
  { workloads, rootNamespace }: TelemetryContext,
  report: Finding,
): void {
  const labels = selectorOf(document);
  if (Object.keys(labels).length === 0) return;
  if (document.namespace === rootNamespace) {
    const message = `a Telemetry of the root namespace "${rootNamespace}" that selects workloads holds for no other namespace. Write it in the namespace of the workloads.`;
    report(document, ["spec", "selector"], SELECTS_FROM_ROOT, "warning", message);
  } else if (workloads.length > 0) {
    const consequence = "the document holds for nobody. Compare with: inmesh endpoints SERVICE -o wide";
    checkSelected(document, labels, workloads, rootNamespace, consequence, report);
  }
}

function checkProviders(document: TelemetryDocument, settings: TelemetrySettings, report: Finding): void {
  const { tracing = [], accessLogging = [] } = document.spec;
  const unknown = (name: string, known: readonly string[], path: Path, what: string): void => {
    const message = `MeshConfig has no extensionProvider ${quote(name)} ${what}.${suggestion(nearestName(name, known))} Define it, or name one that is there.`;
    report(document, path, UNKNOWN_PROVIDER, "warning", message);
  };
  for (const [index, { providers = [] }] of tracing.entries()) {
    const name = providers[0]?.name ?? "";
    if (name === "" || settings.tracers.has(name.toLowerCase())) continue;
    const path = ["spec", "tracing", index, "providers", 0, "name"];
    unknown(name, [...settings.tracers], path, "that takes traces, so nothing is traced");
  }
  for (const [index, { providers = [], disabled }] of accessLogging.entries()) {
    const at = ["spec", "accessLogging", index];
    if (providers.length === 0 && disabled !== true && settings.defaultLogs.length === 0) {
      const message =
        "no provider is named, and MeshConfig has no defaultProviders.accessLogging: nothing is logged. Name one, such as envoy.";
      report(document, at, NO_PROVIDER, "warning", message);
    }
    for (const [each, { name = "" }] of providers.entries()) {
      if (name === "" || settings.logs.has(name.toLowerCase())) continue;
      unknown(name, [...settings.logs.keys()], [...at, "providers", each, "name"], "that takes access logs here");
    }
  }
}

function checkMetrics(document: TelemetryDocument, report: Finding): void {
  for (const [index, { overrides = [] }] of (document.spec.metrics ?? []).entries()) {
    for (const [each, { match, tagOverrides = {} }] of overrides.entries()) {
      const at = ["spec", "metrics", index, "overrides", each];
      for (const [tag, { value = "" }] of Object.entries(tagOverrides)) {
        const fault = value === "" ? undefined : celFault(value);
        if (fault === undefined) continue;
        const message = `${quote(value)}: ${fault.message}. The tag is "unknown" for everybody. Correct it as docs/reference/telemetry.md says.`;
        report(document, [...at, "tagOverrides", tag, "value"], UNKNOWN_TAG, "warning", message);
      }
      const name = match?.customMetric;
      if (name === undefined || standardMetric(name) !== undefined) continue;
      const path = [...at, "match", "customMetric"];
      const message = `${quote(name)} is no metric of Istio's dialect: the override has no effect. Name one, such as requests_total.`;
      report(document, path, UNKNOWN_METRIC, "warning", message);
    }
  }
}
