/** Which field of which DestinationRule gives each part of a cluster's policy: for explain. policy-semantics §2.2. */

import type { SubsetSpec } from "../kind/destination-rule.js";
import type { TrafficPolicySpec } from "../kind/traffic-policy.js";
import { POLICY_BLOCKS, type PolicyFields } from "../snapshot/cluster.js";
import type { RuleRef } from "../snapshot/route.js";
import type { DestinationPolicy } from "./destination-rule-index.js";

/** A traffic policy, and where it is written. */
interface Written extends RuleRef {
  readonly policy: TrafficPolicySpec;
}

/** The same precedence as `policyBlocks`: whole blocks, of which a port's entry replaces all. */
export function policyFields(rule: DestinationPolicy | undefined, subset: string, port: number): PolicyFields {
  if (rule === undefined) return {};
  const whole = first(
    rule,
    ({ trafficPolicy }) => trafficPolicy && { policy: trafficPolicy, path: "spec.trafficPolicy" },
  );
  const definition = first(rule, ({ subsets = [] }) => {
    const at = subsets.findIndex(({ name }) => name === subset);
    return subset === "" || at < 0 ? undefined : { definition: subsets[at]!, path: `spec.subsets[${at}]` }; // just found
  });
  const ofSubset = definition && subsetPolicy(definition);
  const entry = ofSubset && portEntry(ofSubset, port);
  const levels = entry === undefined ? [ofSubset, whole && (portEntry(whole, port) ?? whole)] : [entry];
  const fields: Record<string, RuleRef> = {};
  if (definition !== undefined) fields["subset"] = { resource: definition.resource, path: definition.path };
  for (const block of POLICY_BLOCKS) {
    const level = levels.find((each) => each?.policy[block] !== undefined);
    if (level !== undefined) fields[block] = { resource: level.resource, path: `${level.path}.${block}` };
  }
  return fields;
}

function first<Found extends object>(
  { resources }: DestinationPolicy,
  find: (spec: DestinationPolicy["resources"][number]["spec"]) => Found | undefined,
): (Found & Pick<RuleRef, "resource">) | undefined {
  for (const { kind, namespace, name, spec } of resources) {
    const found = find(spec);
    if (found !== undefined) return { ...found, resource: { kind, namespace, name } };
  }
  return undefined;
}

function subsetPolicy({
  definition,
  path,
  resource,
}: RuleRef & { readonly definition: SubsetSpec }): Written | undefined {
  const policy = definition.trafficPolicy;
  return policy && { policy, resource, path: `${path}.trafficPolicy` };
}

function portEntry({ policy, path, resource }: Written, port: number): Written | undefined {
  const at = policy.portLevelSettings?.findIndex((entry) => entry.port?.number === port) ?? -1;
  const entry = policy.portLevelSettings?.[at];
  return entry && { policy: entry, resource, path: `${path}.portLevelSettings[${at}]` };
}
