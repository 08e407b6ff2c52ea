/** Rules of one match of an http route. policy-semantics §1.3 and §6.3. */

import type { HttpMatchSpec } from "../kind/virtual-service.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { matchNameFault } from "./header-syntax.js";
import { isDnsLabel, portFault } from "./name-syntax.js";
import type { Report } from "./report.js";
import { checkGatewayNames, checkLabels } from "./shared-rules.js";
import { checkStringMatch } from "./string-match.js";

/** In withoutHeaders a lone `*` is no expression but stands for any value; elsewhere Istio refuses it. */
const ANY_VALUE = "*";

export function checkHttpMatch(match: HttpMatchSpec, path: Path, report: Report): void {
  for (const [name, value] of Object.entries(match.headers ?? {})) {
    const at = [...path, "headers", name];
    report.check(at, matchNameFault(name));
    checkStringMatch(value, at, report);
  }
  for (const [name, value] of Object.entries(match.withoutHeaders ?? {})) {
    const at = [...path, "withoutHeaders", name];
    report.check(at, matchNameFault(name));
    if (value !== null && value.regex !== ANY_VALUE) checkStringMatch(value, at, report);
  }
  for (const [name, value] of Object.entries(match.queryParams ?? {})) {
    checkStringMatch(value, [...path, "queryParams", name], report);
  }
  checkStringMatch(match.uri, [...path, "uri"], report, { emptyPrefix: true });
  for (const field of ["scheme", "method", "authority"] as const)
    checkStringMatch(match[field], [...path, field], report);
  if (match.port !== undefined && match.port !== 0) report.check([...path, "port"], portFault(match.port));
  checkLabels(match.sourceLabels, [...path, "sourceLabels"], report);
  checkGatewayNames(match.gateways, [...path, "gateways"], report);
  if (match.sourceNamespace && !isDnsLabel(match.sourceNamespace)) {
    report.error([...path, "sourceNamespace"], `${quote(match.sourceNamespace)} is no namespace. Name one.`);
  }
}
