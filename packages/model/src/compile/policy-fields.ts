/** Which field of which DestinationRule gives each part of a cluster's policy: for explain. */

import type { DestinationRuleSpec } from "../kind/destination-rule.js";
import type { TrafficPolicySpec } from "../kind/traffic-policy.js";
import type { Resource } from "../resource.js";
import { POLICY_BLOCKS, type PolicyFields } from "../snapshot/cluster.js";
import type { RuleRef } from "../snapshot/route.js";

type Block = (typeof POLICY_BLOCKS)[number];
type Rules = readonly Resource<DestinationRuleSpec>[];

/**
 * @param blocks in force
 * @param subset empty for the whole service
 * @param rules among which they are written
 */
export function policyFields(blocks: Pick<TrafficPolicySpec, Block>, subset: string, rules: Rules): PolicyFields {
  const fields: Partial<Record<Block | "subset", RuleRef>> = {};
  const definition = subset === "" ? undefined : subsetPlace(subset, rules);
  if (definition !== undefined) fields.subset = definition;
  for (const block of POLICY_BLOCKS) {
    const place = blockPlace(block, blocks[block], rules);
    if (place !== undefined) fields[block] = place;
  }
  return fields;
}

/** Found by its identity, since blocks replace each other whole. Undefined for what no rule has: a default. */
export function blockPlace<Name extends Block>(
  name: Name,
  block: TrafficPolicySpec[Name],
  rules: Rules,
): RuleRef | undefined {
  if (block === undefined) return undefined;
  return firstPlace(rules, ({ trafficPolicy, subsets = [] }) => {
    const whole = pathIn(trafficPolicy, name, block, "spec.trafficPolicy");
    if (whole !== undefined) return whole;
    for (const [index, subset] of subsets.entries()) {
      const path = pathIn(subset.trafficPolicy, name, block, `spec.subsets[${index}].trafficPolicy`);
      if (path !== undefined) return path;
    }
    return undefined;
  });
}

function subsetPlace(subset: string, rules: Rules): RuleRef | undefined {
  return firstPlace(rules, ({ subsets = [] }) => {
    const at = subsets.findIndex(({ name }) => name === subset);
    return at < 0 ? undefined : `spec.subsets[${at}]`;
  });
}

function firstPlace(rules: Rules, find: (spec: DestinationRuleSpec) => string | undefined): RuleRef | undefined {
  for (const { kind, namespace, name, spec } of rules) {
    const path = find(spec);
    if (path !== undefined) return { resource: { kind, namespace, name }, path };
  }
  return undefined;
}

function pathIn(policy: TrafficPolicySpec | undefined, name: Block, block: unknown, at: string): string | undefined {
  if (policy?.[name] === block) return `${at}.${name}`;
  const index = policy?.portLevelSettings?.findIndex((entry) => entry[name] === block) ?? -1;
  return index < 0 ? undefined : `${at}.portLevelSettings[${index}].${name}`;
}
