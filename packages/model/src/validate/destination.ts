/** Rules of destinations and their weights. policy-semantics §6.3. */

import type { DestinationSpec } from "../kind/field.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { hostFault, isDnsLabel, portFault } from "./name-syntax.js";
import type { Report } from "./report.js";

export function checkDestination({ host = "", subset, port }: DestinationSpec, path: Path, report: Report): void {
  const at = host === "" ? path : [...path, "host"];
  if (host === "*") report.error(at, 'a destination cannot be "*". Name one host.');
  else report.check(at, hostFault(host));
  if (subset !== undefined && subset !== "") report.check([...path, "subset"], subsetNameFault(subset));
  if (port !== undefined) report.check([...path, "port", "number"], portFault(port.number ?? 0));
}

export function subsetNameFault(name: string): string | undefined {
  if (isDnsLabel(name)) return undefined;
  if (name === "") return "the subset has no name. Name it.";
  return `subset ${quote(name)} is no DNS label: letters, digits and "-", at most 63. Rename it.`;
}

/** One destination takes all, whatever its weight; of several, some must take something. */
export function checkWeights(
  routes: readonly { readonly weight?: number | undefined }[],
  path: Path,
  report: Report,
): void {
  let total = 0;
  for (const [index, { weight = 0 }] of routes.entries()) {
    if (weight < 0) report.error([...path, index, "weight"], `weight is ${weight}, expected 0 or more. Correct it.`);
    total += weight;
  }
  if (routes.length > 1 && total === 0) {
    report.error(
      path,
      `the weights of all ${routes.length} destinations are 0, so none would be chosen. Give at least one a weight.`,
    );
  }
}
