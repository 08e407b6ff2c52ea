/**
 * Consul's config entries as documents of the mesh: Istio's kinds, which the same steps validate and compile as those that
 * people write. Pure. Which of Consul's fields becomes what: docs/reference/support.md. Entries that lead to each other are
 * translated together, and anew only when one of them is another.
 */

import { sameItems } from "@inmesh/core/internal";
import type { Document, Problem } from "@inmesh/model";
import type { Chain } from "./chain.js";
import type { Member, NeededInstances } from "./cluster-plan.js";
import { entryGroups } from "./entry-groups.js";
import { HostPlans } from "./host-plans.js";
import type { Made } from "./made-documents.js";
import { type ReadEntries, readConfigEntries } from "./read-config-entries.js";
import { translateCommon } from "./translate-common.js";
import { type TranslatedGroup, translateGroup } from "./translate-group.js";

export interface ConfigEntryInput {
  /** Config entries of all kinds, as `/v1/config/KIND` lists them. */
  readonly entries: readonly unknown[];
  /** As `/v1/connect/intentions` lists them, from servers without service-intentions. @default none */
  readonly intentions?: readonly unknown[];
  /** Whether Consul lets through what no intention speaks of. @default "allow" */
  readonly intentionDefault?: "allow" | "deny";
  /** Namespace of the mesh of services that say nothing of one. */
  readonly namespace: string;
  /** That is asked: others are named by entries. */
  readonly datacenter: string;
  /** Names in the catalog, as Consul has them: intentions for `*` are for each of them. */
  readonly services: readonly string[];
}

export interface Translation {
  /** Those that did not change are the same objects as in the translation before. */
  readonly documents: readonly Document[];
  readonly problems: readonly Problem[];
  /** Whose instances stand behind a service; itself first. @param service name in Consul */
  members(service: string): readonly Member[];
  /** Whose instances a call to it may need, itself first: those behind every service its routes lead to. */
  needs(service: string): readonly NeededInstances[];
}

export function translateConfigEntries(input: ConfigEntryInput, previous?: Translation): Translation {
  const before = previous instanceof EntryTranslation ? previous : undefined;
  return new EntryTranslation(input, readConfigEntries(input.entries, input.intentions, before?.known), before);
}

class EntryTranslation implements Translation {
  readonly documents: readonly Document[];
  readonly problems: readonly Problem[];
  readonly known: ReadEntries["known"];
  readonly place: string;
  readonly groups: ReadonlyMap<string, TranslatedGroup>;
  readonly common: ReadonlyMap<string, Made>;
  readonly #plan: HostPlans;
  readonly #chains: ReadonlyMap<string, Chain>;

  constructor(
    input: ConfigEntryInput,
    { entries, problems, known }: ReadEntries,
    previous: EntryTranslation | undefined,
  ) {
    const { namespace, datacenter, services, intentionDefault = "allow" } = input;
    this.known = known;
    this.place = JSON.stringify([namespace, datacenter]);
    const older = previous?.place === this.place ? previous : undefined;
    const groups = entryGroups(entries).map((group) => {
      const before = older?.groups.get(group.name);
      return before !== undefined && sameItems(before.group.parts, group.parts)
        ? before
        : translateGroup(group, { namespace, datacenter }, before?.made);
    });
    this.groups = new Map(groups.map((each) => [each.group.name, each]));
    this.#plan = new HostPlans(groups.map(({ plan }) => plan));
    this.#chains = new Map(groups.flatMap(({ chains }) => [...chains]));
    const common = translateCommon(
      { entries, plan: this.#plan, namespace, intentionDefault, services },
      older?.common ?? new Map(),
    );
    this.common = common.made;
    const parts = [...groups, common];
    this.documents = parts.flatMap((part) => part.documents);
    this.problems = [problems, ...parts.map((part) => part.problems)].flat();
  }

  members(service: string): readonly Member[] {
    return this.#plan.members(service);
  }

  needs(service: string): readonly NeededInstances[] {
    const chain = this.#chains.get(service);
    const led = chain?.routes.flatMap(({ legs }) => legs.map(({ target }) => target.service)) ?? [];
    const needed = new Map<string, NeededInstances>([[service, { service }]]);
    for (const host of new Set([service, ...led])) {
      for (const { service: name, dc } of this.members(host)) {
        needed.set(dc === undefined ? name : `${name}@${dc}`, { service: name, ...(dc !== undefined && { dc }) });
      }
    }
    return [...needed.values()];
  }
}
