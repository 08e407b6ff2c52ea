/** Rules that several kinds share: exportTo, selectors, labels, ports of services. policy-semantics §6.2. */

import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { dnsLabelFault, fqdnFault, isDnsLabel, labelKeyFault, labelValueFault } from "./name-syntax.js";
import type { Report } from "./report.js";

type Labels = Readonly<Record<string, string>>;

export function checkLabels(labels: Labels | undefined, path: Path, report: Report): void {
  for (const [key, value] of Object.entries(labels ?? {})) {
    report.check([...path, key], labelKeyFault(key) ?? labelValueFault(value));
  }
}

/** @param labels `undefined` when the selector names none @param path of the selector */
export function checkSelector(labels: Labels | undefined, path: Path, report: Report): void {
  const entries = Object.entries(labels ?? {});
  if (entries.length === 0) {
    report.warn(
      path,
      "the selector names no label, so it selects every workload of the namespace. Remove it, or name labels.",
    );
  }
  for (const [key, value] of entries) {
    if (key === "") report.error(path, "the selector has an empty label name. Name the label.");
    if (key.includes("*") || value.includes("*")) {
      report.error(
        path,
        `the selector has a wildcard in ${quote(`${key}=${value}`)}; labels are compared whole. Write the value out.`,
      );
    }
  }
}

interface ExportRules {
  /** `~`, visible to nobody, makes sense for ServiceEntries only. */
  readonly allowNone?: boolean;
  /** A DestinationRule with a workloadSelector never leaves its namespace. */
  readonly ownNamespaceOnly?: boolean;
}

export function checkExportTo(
  exportTo: readonly string[] | undefined,
  path: Path,
  report: Report,
  { allowNone = false, ownNamespaceOnly = false }: ExportRules = {},
): void {
  const seen = new Set<string>();
  for (const [index, entry] of (exportTo ?? []).entries()) {
    const at = [...path, index];
    const namespace = entry === "." ? report.namespace : entry;
    if (seen.has(namespace)) report.error(at, `${quote(entry)} is there twice. Remove one.`);
    else if (entry === "~" && !allowNone)
      report.error(at, `"~" (nobody) is only for ServiceEntries. Name a namespace, "." or "*".`);
    else if (entry !== "~" && entry !== "*" && !isDnsLabel(namespace)) {
      report.error(at, `found ${quote(entry)}, expected ".", "*" or a namespace. Correct it.`);
    }
    seen.add(namespace);
  }
  for (const alone of ["*", "~"]) {
    if (seen.has(alone) && (exportTo ?? []).length > 1)
      report.error(path, `"${alone}" must stand alone. Remove the others, or it.`);
  }
  if (ownNamespaceOnly && seen.size > 0 && (seen.size > 1 || !seen.has(report.namespace))) {
    report.error(
      path,
      'with a workloadSelector the rule stays in its own namespace. Write exportTo: ["."], or remove it.',
    );
  }
}

export function checkGatewayNames(names: readonly string[] | undefined, path: Path, report: Report): void {
  for (const [index, name] of (names ?? []).entries()) {
    const at = [...path, index];
    const slash = name.indexOf("/");
    if (slash >= 0) {
      // Differs from the reference's §1.1: Istio's validation refuses "./name".
      report.check(at, dnsLabelFault(name.slice(0, slash)) ?? dnsLabelFault(name.slice(slash + 1)));
      continue;
    }
    report.check(at, fqdnFault(name));
    const [first = "", second = ""] = name.split(".");
    if (second !== "")
      report.warn(at, `${quote(name)} is the old form of a gateway's name. Write "${second}/${first}".`);
  }
}

export function checkCount(list: readonly unknown[], most: number, path: Path, report: Report): void {
  if (list.length > most) report.error(path, `found ${list.length} entries, at most ${most} are allowed. Split them.`);
}
