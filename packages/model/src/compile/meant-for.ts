/** For whom a rule of a VirtualService is: what is known of caller and port before there is a request. policy-semantics §1.3. */

import type { HttpMatchSpec } from "../kind/virtual-service.js";
import type { RuleForOthers } from "../snapshot/route.js";
import type { ClientContext } from "../snapshot/snapshot.js";
import type { Rule } from "./delegate.js";
import { hasLabels } from "./labels.js";

/** Who asks, and the port being addressed. */
export interface Addressed {
  readonly client: ClientContext;
  readonly port: number;
}

/**
 * Why an alternative is not for this caller and port; undefined when it is. Quirk kept from Istio: with `gateways`, the
 * source conditions are not looked at.
 */
export function whyNotMeant(
  { gateways = [], sourceLabels = {}, sourceNamespace, port }: HttpMatchSpec,
  { client, port: addressed }: Addressed,
): string | undefined {
  if (port !== undefined && port !== 0 && port !== addressed) return `it is for port ${port}`;
  if (gateways.length > 0) {
    return gateways.includes("mesh") ? undefined : `it is for gateways ${gateways.join(", ")}, not for the mesh`;
  }
  if (sourceNamespace && sourceNamespace !== client.namespace) {
    return `it is for callers of namespace ${sourceNamespace}, this one is of ${client.namespace}`;
  }
  if (hasLabels(client.labels, sourceLabels)) return undefined;
  const wanted = Object.entries(sourceLabels).map(([key, value]) => `${key}=${value}`);
  return `it is for callers with labels ${wanted.join(", ")}`;
}

/** Alternatives that are compiled away, and how many routes come before each. */
export function rulesForOthers(rules: readonly Rule[], addressed: Addressed): readonly RuleForOthers[] {
  const others: RuleForOthers[] = [];
  let before = 0;
  for (const rule of rules) {
    const { match = [] } = rule.spec;
    if (match.length === 0) before += 1;
    for (const [position, alternative] of match.entries()) {
      const why = whyNotMeant(alternative, addressed);
      if (why === undefined) before += 1;
      else others.push({ ...placeOf(rule, position), before, why });
    }
  }
  return others;
}

/** @param position in the rule's merged `match`; undefined for a rule that has none */
export function placeOf(
  { spec, resource: { kind, namespace, name }, index, matchIndices, root }: Rule,
  position: number | undefined,
): Pick<RuleForOthers, "name" | "resource" | "path" | "delegatedBy"> {
  const own = position === undefined ? -1 : (matchIndices[position] ?? -1);
  const alternative = position === undefined ? undefined : spec.match?.[position];
  return {
    name: joined(spec.name, alternative?.name) || "default",
    resource: { kind, namespace, name },
    path: own < 0 ? `spec.http[${index}]` : `spec.http[${index}].match[${own}]`,
    delegatedBy: root,
  };
}

function joined(rule = "", alternative = ""): string {
  return rule !== "" && alternative !== "" ? `${rule}.${alternative}` : rule + alternative;
}
