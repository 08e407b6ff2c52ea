/** What Istio's validation demands of a Telemetry, and which expressions inmesh evaluates. policy-semantics §3.7 and §6.5. */

import { celFault } from "../cel/compile.js";
import type { CustomTagSpec, MetricsOverrideSpec, TelemetrySpec } from "../kind/telemetry.js";
import { parseLogFormat } from "../log-format/parse-log-format.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { checkPolicyTarget } from "./policy-target.js";
import type { Report } from "./report.js";

const FILTER = "IM0901";
const FORMAT = "IM0903";
/** Where it stands, for messages. */
const SUBSET = "docs/reference/telemetry.md says which expressions there are";

export function checkTelemetry(spec: TelemetrySpec, path: Path, report: Report): void {
  checkPolicyTarget(spec, path, report);
  checkTracing(spec.tracing ?? [], [...path, "tracing"], report);
  for (const [index, { providers, overrides }] of (spec.metrics ?? []).entries()) {
    const at = [...path, "metrics", index];
    checkProviders(providers, [...at, "providers"], report);
    for (const [each, override] of (overrides ?? []).entries())
      checkTagOverrides(override, [...at, "overrides", each, "tagOverrides"], report);
  }
  for (const [index, { providers, filter }] of (spec.accessLogging ?? []).entries()) {
    const at = [...path, "accessLogging", index];
    checkProviders(providers, [...at, "providers"], report);
    if (filter !== undefined) checkFilter(filter.expression ?? "", [...at, "filter"], report);
  }
}

function checkTracing(entries: NonNullable<TelemetrySpec["tracing"]>, path: Path, report: Report): void {
  if (entries.length > 1)
    report.warn(
      path,
      "only one way of tracing is in force at a time; entries of one mode override each other. Keep one.",
    );
  for (const [index, { providers, randomSamplingPercentage, customTags }] of entries.entries()) {
    const at = [...path, index];
    checkProviders(providers, [...at, "providers"], report);
    if ((providers ?? []).length > 1)
      report.warn([...at, "providers"], "only the first provider is used. Remove the others.");
    report.range([...at, "randomSamplingPercentage"], randomSamplingPercentage, 0, 100);
    for (const [name, tag] of Object.entries(customTags ?? {}))
      checkCustomTag(name, tag, [...at, "customTags"], report);
  }
}

function checkProviders(
  providers: readonly { readonly name?: string | undefined }[] | undefined,
  path: Path,
  report: Report,
): void {
  for (const [index, { name = "" }] of (providers ?? []).entries()) {
    if (name === "") report.error([...path, index], "the provider has no name. Write one of MeshConfig's.");
  }
}

function checkCustomTag(name: string, tag: CustomTagSpec, path: Path, report: Report): void {
  const at = [...path, name];
  if (name === "") report.error(path, "a tag has no name. Name it.");
  const lacks = (field: string, advice: string): void => report.error([...at, field], `it is empty. ${advice}`);
  if (tag.literal !== undefined && !tag.literal.value) lacks("literal", "Write the value.");
  if (tag.environment !== undefined && !tag.environment.name) lacks("environment", "Name the variable.");
  if (tag.header !== undefined && !tag.header.name) lacks("header", "Name the header.");
  if (tag.formatter === undefined) return;
  if (!tag.formatter.value) lacks("formatter", "Write operators of the access log, such as %REQ(x-user)%.");
  else checkLogFormat(tag.formatter.value, [...at, "formatter", "value"], report);
}

function checkTagOverrides({ tagOverrides }: MetricsOverrideSpec, path: Path, report: Report): void {
  for (const [name, { operation = "UPSERT", value = "" }] of Object.entries(tagOverrides ?? {})) {
    const at = [...path, name];
    if (name === "") report.error(path, "a tag has no name. Name it.");
    if (operation === "REMOVE") {
      if (value !== "") report.error([...at, "value"], "a tag that is removed has no value. Remove one of the two.");
    } else if (value === "") {
      report.error(at, "it says no value. Write an expression, such as request.method, or operation: REMOVE.");
    }
  }
}

/** A filter that cannot be evaluated would log everything or nothing: the document is refused. */
function checkFilter(expression: string, path: Path, report: Report): void {
  if (expression === "") {
    report.error(path, "the filter has no expression. Write one, such as response.code >= 400, or remove it.");
    return;
  }
  const fault = celFault(expression);
  if (fault === undefined) return;
  const at = [...path, "expression"];
  const where = `character ${fault.at + 1} of ${quote(expression)}: ${fault.message}.`;
  if (fault.kind === "syntax") report.error(at, `${where} Correct the expression.`);
  else report.error(at, `${where} The document is refused; ${SUBSET}.`, FILTER);
}

/** Of the access log: text, or a value somewhere in an object. */
export function checkLogFormat(format: string, path: Path, report: Report): void {
  for (const problem of parseLogFormat(format).problems)
    report.warn(path, `${problem}. That part is left out. Correct it.`, FORMAT);
}
