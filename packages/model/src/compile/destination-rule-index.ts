/** Which DestinationRules hold for a service, and merged how. policy-semantics §2.1. */

import type { DestinationRuleSpec, SubsetSpec } from "../kind/destination-rule.js";
import type { TrafficPolicySpec } from "../kind/traffic-policy.js";
import type { Resource } from "../resource.js";
import type { ClientContext } from "../snapshot/snapshot.js";
import { getOrMake } from "./get-or-make.js";
import { qualifiedHost } from "./host.js";
import { HostMap } from "./host-map.js";
import { hasLabels } from "./labels.js";
import { effectiveExportTo, isVisible } from "./visibility.js";

type DestinationRule = Resource<DestinationRuleSpec>;

/** Rules of one host in one namespace, as one. The same object as long as the same documents make it. */
export interface DestinationPolicy {
  /** Oldest first. */
  readonly resources: readonly DestinationRule[];
  /** Of the first rule that has one: never merged field by field. */
  readonly trafficPolicy: TrafficPolicySpec | undefined;
  /** Concatenated; the older one keeps a name that appears twice. */
  readonly subsets: ReadonlyMap<string, SubsetSpec>;
}

export class DestinationRuleIndex {
  /** By namespace of the rules. */
  readonly #levels = new Map<string, HostMap<DestinationPolicy>>();
  readonly #made = new Map<string, DestinationPolicy>();
  readonly #client: ClientContext;
  readonly #rootNamespace: string;

  /**
   * @param resources oldest first
   * @param remembered keys of documents looked at before
   */
  constructor(
    resources: readonly DestinationRule[],
    client: ClientContext,
    defaultExportTo: readonly string[],
    rootNamespace: string,
    remembered: WeakMap<Resource, readonly string[]>,
    previous?: DestinationRuleIndex,
  ) {
    this.#client = client;
    this.#rootNamespace = rootNamespace;
    const groups = new Map<string, DestinationRule[]>();
    for (const resource of resources) {
      if (!isUsable(resource, client, defaultExportTo)) continue;
      const [key = ""] = getOrMake(remembered, resource, () => [groupKey(resource)]);
      getOrMake(groups, key, () => []).push(resource);
    }
    for (const [key, group] of groups) this.#add(key, group, defaultExportTo, previous);
  }

  /** The first level that names the host wins, even by a wildcard: levels never merge. */
  find(host: string, serviceNamespace: string): DestinationPolicy | undefined {
    const root = this.#rootNamespace;
    const { namespace: own } = this.#client;
    for (const namespace of own === root ? [serviceNamespace, root] : [own, serviceNamespace, root]) {
      const found = this.#levels.get(namespace)?.find(host);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #add(
    key: string,
    group: DestinationRule[],
    defaultExportTo: readonly string[],
    previous?: DestinationRuleIndex,
  ): void {
    const resources = entryFor(group, this.#client, defaultExportTo);
    if (resources.length === 0) return;
    const old = previous === undefined ? undefined : previous.#made.get(key);
    const policy = old !== undefined && isSame(old.resources, resources) ? old : merge(resources);
    this.#made.set(key, policy);
    const slash = key.indexOf("/");
    const namespace = key.slice(0, slash);
    const host = key.slice(slash + 1);
    getOrMake(this.#levels, namespace, () => new HostMap<DestinationPolicy>()).set(host, policy);
  }
}

function groupKey({ namespace, spec }: DestinationRule): string {
  return `${namespace}/${qualifiedHost(spec.host ?? "", namespace)}`;
}

/** A rule with a selector is private to its namespace, whatever exportTo says. */
function isUsable(
  { spec, namespace }: DestinationRule,
  client: ClientContext,
  defaultExportTo: readonly string[],
): boolean {
  if (hasSelector(spec)) return namespace === client.namespace && selects(spec, client);
  return isVisible(effectiveExportTo(spec.exportTo, defaultExportTo), namespace, client.namespace);
}

/** The rules that make up what this client uses: the first entry whose selector fits, else the last one without selector. */
function entryFor(group: DestinationRule[], client: ClientContext, defaultExportTo: readonly string[]) {
  if (group.length === 1) return group;
  const entries = new Map<string, DestinationRule[]>();
  for (const resource of group) {
    const { spec } = resource;
    const labels = Object.entries(spec.workloadSelector?.matchLabels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
    const exportTo = [...effectiveExportTo(spec.exportTo, defaultExportTo)].sort();
    const key = JSON.stringify([labels, labels.length > 0 ? [] : exportTo]); // other visibility: another entry
    getOrMake(entries, key, () => []).push(resource);
  }
  const all = [...entries.values()];
  return (
    all.find(([first]) => first !== undefined && hasSelector(first.spec) && selects(first.spec, client)) ??
    all.at(-1) ??
    []
  );
}

function hasSelector({ workloadSelector }: DestinationRuleSpec): boolean {
  return Object.keys(workloadSelector?.matchLabels ?? {}).length > 0;
}

function selects({ workloadSelector }: DestinationRuleSpec, { labels }: ClientContext): boolean {
  return hasLabels(labels, workloadSelector?.matchLabels ?? {});
}

function merge(resources: readonly DestinationRule[]): DestinationPolicy {
  const subsets = new Map<string, SubsetSpec>();
  for (const { spec } of resources) {
    for (const subset of spec.subsets ?? []) {
      if (subset.name !== undefined && !subsets.has(subset.name)) subsets.set(subset.name, subset);
    }
  }
  return { resources, subsets, trafficPolicy: resources.find(({ spec }) => spec.trafficPolicy)?.spec.trafficPolicy };
}

function isSame(a: readonly DestinationRule[], b: readonly DestinationRule[]): boolean {
  return a.length === b.length && a.every((resource, index) => resource === b[index]);
}
