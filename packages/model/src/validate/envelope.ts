/** What surrounds the spec: top-level fields and metadata. */

import { PATH_CASE_ANNOTATION } from "../compile/path-case.js";
import { quote } from "../problem-at.js";
import type { Document, Kind, ObjectMeta, Path } from "../resource.js";
import { dnsLabelFault } from "./name-syntax.js";
import { nearestName } from "./nearest-name.js";
import type { Report } from "./report.js";
import { checkLabels } from "./shared-rules.js";

const FIELDS: readonly string[] = ["apiVersion", "kind", "metadata", "spec", "status"];

/** ObjectMeta of Kubernetes: `kubectl get -o yaml` writes them all, and we use six. */
const METADATA_FIELDS: readonly string[] = [
  "name",
  "namespace",
  "labels",
  "annotations",
  "creationTimestamp",
  "generateName",
  "uid",
  "resourceVersion",
  "generation",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "selfLink",
  "ownerReferences",
  "finalizers",
  "managedFields",
];

/** Annotations by which Istio's own controllers mark what they made; from a user they would be an escalation. */
const FORBIDDEN_ANNOTATIONS: readonly string[] = [
  "internal.istio.io/webhook-always-reject",
  "internal.istio.io/parents",
  "internal.istio.io/parent-namespace",
];

/** Annotations of ours that are true or false: a slip in one of them would leave a door open. */
const OUR_FLAGS: readonly string[] = [PATH_CASE_ANNOTATION];

/** Only AuthorizationPolicies can be tried without effect. */
export const DRY_RUN = "istio.io/dry-run";

const MAX_NAME_LENGTH = 253;

/** Metadata with everything set; faults go to the report. MeshConfig has none. */
export function readEnvelope(document: Document, kind: Kind, report: Report): ObjectMeta {
  const { value, name, namespace } = document;
  if (kind === "MeshConfig") return { name, namespace, labels: empty(), annotations: empty() };
  for (const field of Object.keys(value)) refuseUnknown(field, FIELDS, [field], report);
  const metadata = (value["metadata"] ?? empty()) as Readonly<Record<string, unknown>>;
  for (const field of Object.keys(metadata)) refuseUnknown(field, METADATA_FIELDS, ["metadata", field], report);
  if (name.length > MAX_NAME_LENGTH || !/^[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?$/.test(name)) {
    report.error(
      ["metadata", "name"],
      `${quote(name)} is no name: small letters, digits, "-" and ".", at most 253. Rename it.`,
    );
  }
  if (metadata["namespace"] !== undefined) checkNamespace(metadata["namespace"], report);
  const labels = readStrings(metadata["labels"], ["metadata", "labels"], report);
  checkLabels(labels, ["metadata", "labels"], report);
  const annotations = readStrings(metadata["annotations"], ["metadata", "annotations"], report);
  const forbidden = kind === "AuthorizationPolicy" ? FORBIDDEN_ANNOTATIONS : [...FORBIDDEN_ANNOTATIONS, DRY_RUN];
  for (const key of forbidden) {
    if (Object.hasOwn(annotations, key))
      report.error(["metadata", "annotations", key], `annotation ${key} is not allowed on a ${kind}. Remove it.`);
  }
  for (const key of OUR_FLAGS) {
    const value = annotations[key];
    if (value === undefined || value === "true" || value === "false") continue;
    report.error(
      ["metadata", "annotations", key],
      `found ${quote(value)}, expected "true" or "false". Write one of them.`,
    );
  }
  const created = readTimestamp(metadata["creationTimestamp"], report);
  return { name, namespace, labels, annotations, ...(created === undefined ? {} : { creationTimestamp: created }) };
}

function checkNamespace(namespace: unknown, report: Report): void {
  const at = ["metadata", "namespace"];
  if (typeof namespace === "string") {
    if (namespace !== "") report.check(at, dnsLabelFault(namespace));
  } else if (namespace !== null) report.error(at, `found ${quote(namespace)}, expected a string. Quote it.`);
}

function refuseUnknown(field: string, known: readonly string[], path: Path, report: Report): void {
  if (known.includes(field)) return;
  const near = nearestName(field, known);
  const hint = near === undefined ? `Remove it; known are ${known.slice(0, 5).join(", ")}.` : `Did you mean "${near}"?`;
  report.error(path, `unknown field ${quote(field)}. ${hint}`);
}

function readStrings(value: unknown, path: Path, report: Report): Readonly<Record<string, string>> {
  const strings = empty();
  if (value === undefined || value === null) return strings;
  if (typeof value !== "object" || Array.isArray(value)) {
    report.error(path, `found ${quote(value)}, expected an object of strings. Correct it.`);
    return strings;
  }
  for (const [key, text] of Object.entries(value)) {
    if (typeof text === "string") strings[key] = text;
    else report.error([...path, key], `found ${quote(text)}, expected a string. Quote it.`);
  }
  return strings;
}

/** RFC 3339 as Kubernetes writes it: UTC, whole seconds. Others would sort wrongly as text, so they are brought into that form. */
function readTimestamp(value: unknown, report: Report): string | undefined {
  if (value === undefined || value === null) return undefined;
  const at = ["metadata", "creationTimestamp"];
  const form = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[-+]\d\d:\d\d)$/;
  const time = typeof value === "string" && form.test(value) ? Date.parse(value) : Number.NaN;
  if (!Number.isNaN(time)) return `${new Date(time).toISOString().slice(0, 19)}Z`;
  report.error(at, `found ${quote(value)}, expected a time such as 2026-01-31T12:00:00Z. Correct it, or remove it.`);
  return undefined;
}

function empty(): Record<string, string> {
  return Object.create(null) as Record<string, string>;
}
