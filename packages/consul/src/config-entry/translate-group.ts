/**
 * Entries that lead to each other, translated by themselves: what one of them says changes nothing of any other group. Each
 * service's chain becomes a VirtualService, what is said of calling it a DestinationRule.
 */

import type { Document, Problem } from "@inmesh/model";
import { type Chain, compileChain, isHttpLike, protocolOf, resolvePlace, type Target } from "./chain.js";
import { ClusterPlan } from "./cluster-plan.js";
import type { ConfigEntries } from "./config-entry.js";
import { destinationRuleSpec } from "./destination-rule.js";
import type { EntryGroup } from "./entry-groups.js";
import { entryProblem } from "./entry-problem.js";
import { type Made, MadeDocuments, manifest, nameOf, sorted } from "./made-documents.js";
import { externalService, serverLimit } from "./service-policy.js";
import { isPlain, virtualServiceSpec } from "./virtual-service.js";

/** Where entries stand. */
export interface EntryPlace {
  /** Namespace of the mesh of services that say nothing of one. */
  readonly namespace: string;
  readonly datacenter: string;
}

/** What a group became. */
export interface TranslatedGroup {
  readonly group: EntryGroup;
  readonly documents: readonly Document[];
  readonly problems: readonly Problem[];
  readonly made: ReadonlyMap<string, Made>;
  readonly chains: ReadonlyMap<string, Chain>;
  readonly plan: ClusterPlan;
}

/** @param before what was made of the group the last time, by key of the document */
export function translateGroup(
  group: EntryGroup,
  place: EntryPlace,
  before: ReadonlyMap<string, Made> = new Map(),
): TranslatedGroup {
  const translator = new GroupTranslator(group.entries, place, before);
  translator.translate();
  const { documents, problems, made } = translator.made;
  return { group, documents, problems, made, chains: translator.chains, plan: translator.plan };
}

class GroupTranslator {
  readonly chains = new Map<string, Chain>();
  readonly plan: ClusterPlan;
  readonly #made: MadeDocuments;
  readonly #datacenter: string;
  readonly #entries: ConfigEntries;

  constructor(entries: ConfigEntries, { namespace, datacenter }: EntryPlace, before: ReadonlyMap<string, Made>) {
    this.#entries = entries;
    this.#datacenter = datacenter;
    this.#made = new MadeDocuments(namespace, before);
    this.plan = this.#makePlan();
  }

  get made(): MadeDocuments {
    return this.#made;
  }

  translate(): void {
    this.#filters();
    for (const service of sorted(this.chains.keys())) this.#virtualService(service);
    const { resolvers, defaults } = this.#entries;
    for (const service of sorted([...this.plan.hosts, ...resolvers.keys(), ...defaults.keys()])) {
      this.#destinationRule(service);
    }
    for (const service of sorted(defaults.keys())) this.#servicePolicy(service);
  }

  /** Chains of every service that entries speak of, and of every other that has others' instances behind it. */
  #makePlan(): ClusterPlan {
    const { resolvers, splitters, routers } = this.#entries;
    const datacenter = this.#datacenter;
    const targets: Target[] = [];
    const add = (service: string): void => {
      const chain = this.#chain(service);
      if (chain === undefined) return;
      this.chains.set(service, chain);
      for (const { legs } of chain.routes) for (const { target } of legs) targets.push(target);
    };
    for (const service of sorted([...resolvers.keys(), ...splitters.keys(), ...routers.keys()])) add(service);
    for (const [service, { subsets }] of resolvers) {
      for (const subset of subsets.keys()) {
        try {
          const target = resolvePlace(this.#entries, { service, subset, datacenter });
          if (target.service === service) targets.push(target);
        } catch {
          // Told where a chain leads there.
        }
      }
    }
    const guests = targets.filter((target) => target.datacenter !== datacenter || target.failover.length > 0);
    for (const { service } of guests) if (!this.chains.has(service)) add(service);
    return new ClusterPlan(this.#entries, datacenter, targets);
  }

  #filters(): void {
    for (const [service, { subsets }] of this.#entries.resolvers) {
      for (const subset of subsets.keys()) {
        const fault = this.plan.fault({ service, subset });
        if (fault === undefined) continue;
        const message = `the filter of subset "${subset}" is not understood: ${fault}. The subset has no instances. Correct it in Consul.`;
        this.#made.problems.push(entryProblem("IM0730", "error", `service-resolver/${service}`, message));
      }
    }
  }

  #chain(service: string): Chain | undefined {
    try {
      return compileChain(this.#entries, service, this.#datacenter);
    } catch (error) {
      this.#made.refuse(this.#originOf(service), error, "Requests to the service are routed as if it had no entries.");
      return undefined;
    }
  }

  #virtualService(service: string): void {
    const chain = this.chains.get(service);
    const ref = this.#made.ref(service, chain?.origin ?? "");
    if (chain === undefined || ref === undefined) return;
    this.#passedOver(chain);
    try {
      if (isPlain(chain, this.plan)) return;
      const spec = virtualServiceSpec(chain, this.plan, (name) => this.#made.host(name));
      this.#made.add(manifest("VirtualService", nameOf(service), ref.namespace, spec), chain.origin);
    } catch (error) {
      this.#made.refuse(chain.origin, error, "Requests to the service are routed as if it had no entries.");
    }
  }

  #passedOver({ service, protocol }: Chain): void {
    if (protocol === "" || isHttpLike(protocol)) return;
    const { routers, splitters } = this.#entries;
    for (const [kind, entries] of [
      ["service-router", routers],
      ["service-splitter", splitters],
    ] as const) {
      if (!entries.has(service)) continue;
      const message = `the protocol of "${service}" is ${protocol}, so its requests are not routed, as in Consul. Set Protocol: http in its service-defaults, or remove the entry.`;
      this.#made.problems.push(entryProblem("IM0201", "warning", `${kind}/${service}`, message));
    }
  }

  #destinationRule(service: string): void {
    const origin = this.#entries.resolvers.has(service) ? `service-resolver/${service}` : `service-defaults/${service}`;
    const ref = this.#made.ref(service, origin);
    if (ref === undefined) return;
    const spec = destinationRuleSpec({
      entries: this.#entries,
      plan: this.plan,
      service,
      host: this.#made.host(service),
    });
    if (spec === undefined) return;
    this.#made.add(manifest("DestinationRule", nameOf(service), ref.namespace, { ...spec, exportTo: ["*"] }), origin);
  }

  #servicePolicy(service: string): void {
    const defaults = this.#entries.defaults.get(service);
    const origin = `service-defaults/${service}`;
    const ref = defaults && this.#made.ref(service, origin);
    if (defaults === undefined || ref === undefined) return;
    const named = { name: nameOf(service), namespace: ref.namespace, host: this.#made.host(service) };
    const protocol = protocolOf(this.#entries, service);
    for (const each of [...serverLimit(defaults, named), ...externalService(defaults, protocol, named)]) {
      this.#made.add(each, origin);
    }
  }

  #originOf(service: string): string {
    const { routers, splitters } = this.#entries;
    const kind = routers.has(service)
      ? "service-router"
      : splitters.has(service)
        ? "service-splitter"
        : "service-resolver";
    return `${kind}/${service}`;
  }
}
