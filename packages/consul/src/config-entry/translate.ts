/**
 * Consul's config entries as documents of the mesh: Istio's kinds, which the same steps validate and compile as those that
 * people write. Pure. Which of Consul's fields becomes what: docs/reference/support.md.
 */

import type { ServiceRef } from "@inmesh/core";
import { type Document, documentFromValue, type Problem } from "@inmesh/model";
import { serviceOf } from "../service-name.js";
import { type Chain, compileChain, isHttpLike, protocolOf, resolvePlace, type Target } from "./chain.js";
import { ClusterPlan, type Member, type NeededInstances } from "./cluster-plan.js";
import type { ConfigEntries, UpstreamPolicy } from "./config-entry.js";
import { destinationRuleSpec, h2ByDefault, h2Spec, upstreamSpec } from "./destination-rule.js";
import { entryOrigin, entryProblem } from "./entry-problem.js";
import { FieldFault } from "./field.js";
import { intentionPolicy } from "./intention-policy.js";
import { type ReadEntries, readConfigEntries } from "./read-config-entries.js";
import { externalService, type Manifest, serverLimit } from "./service-policy.js";
import { isPlain, virtualServiceSpec } from "./virtual-service.js";

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
  /** Of kinds that this version does not honour: told by a problem, and printed by `inmesh convert`. */
  readonly passedOver: readonly Document[];
  /** Whose instances stand behind a service; itself first. @param service name in Consul */
  members(service: string): readonly Member[];
  /** Whose instances a call to it may need, itself first: those behind every service its routes lead to. */
  needs(service: string): readonly NeededInstances[];
}

const NETWORKING = "networking.istio.io/v1";
/** Rules in it are for every service that has none of its own. */
const ROOT_NAMESPACE = "istio-system";
/** Hosts of all services. */
const ALL_SERVICES = "*.svc.cluster.local";

export function translateConfigEntries(input: ConfigEntryInput, previous?: Translation): Translation {
  const before = previous instanceof EntryTranslation ? previous : undefined;
  return new EntryTranslation(input, readConfigEntries(input.entries, input.intentions, before?.known), before);
}

class EntryTranslation implements Translation {
  readonly documents: readonly Document[];
  readonly problems: readonly Problem[];
  readonly passedOver: readonly Document[];
  readonly made: ReadonlyMap<string, Made>;
  readonly known: ReadEntries["known"];
  readonly #plan: ClusterPlan;
  readonly #chains: ReadonlyMap<string, Chain>;

  constructor(input: ConfigEntryInput, read: ReadEntries, previous: EntryTranslation | undefined) {
    const { entries, problems, known } = read;
    this.known = known;
    const translator = new Translator(input, entries, previous?.made);
    translator.translate();
    this.documents = translator.documents;
    this.passedOver = translator.passedOver;
    this.made = translator.made;
    this.problems = [...problems, ...translator.problems];
    this.#plan = translator.plan;
    this.#chains = translator.chains;
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

interface Made {
  /** What it was made of. */
  readonly text: string;
  readonly documents: readonly Document[];
  readonly passedOver: readonly Document[];
  readonly problems: readonly Problem[];
}

class Translator {
  readonly documents: Document[] = [];
  readonly passedOver: Document[] = [];
  readonly problems: Problem[] = [];
  readonly chains = new Map<string, Chain>();
  readonly plan: ClusterPlan;
  readonly #input: ConfigEntryInput;
  readonly #entries: ConfigEntries;
  /** By key of the document. */
  readonly made = new Map<string, Made>();
  readonly #before: ReadonlyMap<string, Made>;

  constructor(input: ConfigEntryInput, entries: ConfigEntries, before: ReadonlyMap<string, Made> = new Map()) {
    this.#input = input;
    this.#entries = entries;
    this.#before = before;
    this.plan = this.#makePlan();
  }

  translate(): void {
    this.#filters();
    for (const service of sorted(this.chains.keys())) this.#virtualService(service);
    const rules = sorted([...this.plan.hosts, ...this.#entries.resolvers.keys(), ...this.#entries.defaults.keys()]);
    for (const service of rules) this.#destinationRule(service);
    if (h2ByDefault(this.#entries)) {
      const spec = { ...h2Spec(ALL_SERVICES), exportTo: ["*"] };
      this.#add(manifest("DestinationRule", "consul-proxy-defaults", ROOT_NAMESPACE, spec), "proxy-defaults/global");
    }
    for (const service of sorted(this.#entries.defaults.keys())) {
      this.#servicePolicy(service);
      this.#upstreams(service);
    }
    this.#intentions();
  }

  /** Chains of every service that entries speak of, and of every other that has others' instances behind it. */
  #makePlan(): ClusterPlan {
    const { resolvers, splitters, routers } = this.#entries;
    const { datacenter } = this.#input;
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
        this.problems.push(entryProblem("IM0730", "error", `service-resolver/${service}`, message));
      }
    }
  }

  #chain(service: string): Chain | undefined {
    const { datacenter } = this.#input;
    try {
      return compileChain(this.#entries, service, datacenter);
    } catch (error) {
      this.#refuse(this.#originOf(service), error, "Requests to the service are routed as if it had no entries.");
      return undefined;
    }
  }

  #virtualService(service: string): void {
    const chain = this.chains.get(service);
    const ref = this.#ref(service, chain?.origin ?? "");
    if (chain === undefined || ref === undefined) return;
    this.#passedOver(chain);
    try {
      if (isPlain(chain, this.plan)) return;
      const spec = virtualServiceSpec(chain, this.plan, (name) => this.#host(name));
      this.#add(manifest("VirtualService", nameOf(service), ref.namespace, spec), chain.origin);
    } catch (error) {
      this.#refuse(chain.origin, error, "Requests to the service are routed as if it had no entries.");
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
      this.problems.push(entryProblem("IM0201", "warning", `${kind}/${service}`, message));
    }
  }

  #destinationRule(service: string): void {
    const origin = this.#entries.resolvers.has(service) ? `service-resolver/${service}` : `service-defaults/${service}`;
    const ref = this.#ref(service, origin);
    if (ref === undefined) return;
    const spec = destinationRuleSpec({ entries: this.#entries, plan: this.plan, service, host: this.#host(service) });
    if (spec === undefined) return;
    this.#add(manifest("DestinationRule", nameOf(service), ref.namespace, { ...spec, exportTo: ["*"] }), origin);
  }

  #servicePolicy(service: string): void {
    const defaults = this.#entries.defaults.get(service);
    const origin = `service-defaults/${service}`;
    const ref = defaults && this.#ref(service, origin);
    if (defaults === undefined || ref === undefined) return;
    const named = { name: nameOf(service), namespace: ref.namespace, host: this.#host(service) };
    const protocol = protocolOf(this.#entries, service);
    for (const each of [...serverLimit(defaults, named), ...externalService(defaults, protocol, named)]) {
      this.#add(each, origin);
    }
  }

  /** Rules of one caller, in its namespace: the service's own rule with what the caller adds to it. */
  #upstreams(caller: string): void {
    const upstreams = this.#entries.defaults.get(caller)?.upstreams;
    const origin = `service-defaults/${caller}`;
    const ref = upstreams && this.#ref(caller, origin);
    if (upstreams === undefined || ref === undefined) return;
    const { defaults, overrides } = upstreams;
    const selector = { workloadSelector: { matchLabels: { app: ref.service } } };
    const add = (suffix: string, spec: object): void =>
      this.#add(
        manifest("DestinationRule", `${nameOf(caller)}-to-${suffix}`, ref.namespace, { ...spec, ...selector }),
        origin,
      );
    const { resolvers, defaults: services } = this.#entries;
    const known = defaults === undefined ? [] : [...this.plan.hosts, ...resolvers.keys(), ...services.keys()];
    for (const service of sorted([...known, ...overrides.keys()])) {
      const upstream = merged(defaults, overrides.get(service));
      if (this.#ref(service, origin) === undefined) continue;
      const input = { entries: this.#entries, plan: this.plan, service, host: this.#host(service), upstream };
      const spec = destinationRuleSpec(input);
      if (spec !== undefined) add(service, spec);
    }
    const spec = defaults && upstreamSpec(this.#entries, ALL_SERVICES, defaults);
    if (spec !== undefined) add("all", spec);
  }

  #intentions(): void {
    const { services, intentionDefault = "allow" } = this.#input;
    const { intentions } = this.#entries;
    if (intentions.length === 0) return;
    const nameOfService = (name: string): ServiceRef | undefined => serviceOf(name, this.#input.namespace);
    const input = { intentions, otherwise: intentionDefault, nameOf: nameOfService };
    const named = intentions.map(({ destination }) => destination).filter((name) => name !== "*");
    const namespaces = new Set<string>();
    for (const service of sorted([...named, ...services])) {
      const policy = intentionPolicy(service, input);
      const ref = nameOfService(service);
      if (policy === undefined || ref === undefined) continue;
      namespaces.add(ref.namespace);
      const origin = policy.origins[0] ?? `service-intentions/${service}`;
      for (const { field, why, severity = "warning" } of policy.notHonoured) {
        this.problems.push(entryProblem("IM0201", severity, origin, `${field} is not acted on as written. ${why}`));
      }
      this.#add(security(nameOf(service), ref.namespace, policy.spec), origin);
    }
    if (intentionDefault === "allow") return;
    // Nobody is let in whom no rule lets in.
    for (const namespace of sorted([...namespaces, this.#input.namespace])) {
      this.#add(security("consul-default-deny", namespace, {}), "service-intentions/*");
    }
  }

  /** What says the same as before, of the same entry, is what was made of it before: hashing is most of the work. */
  #add(value: Manifest, origin: string): void {
    const text = `${origin} ${JSON.stringify(value)}`;
    const key = `${value.kind}/${value.metadata.namespace}/${value.metadata.name}`;
    const before = this.#before.get(key);
    const made =
      before?.text === text ? before : { text, ...documentFromValue(value, { origin: entryOrigin(origin) }) };
    this.made.set(key, made);
    this.documents.push(...made.documents);
    this.passedOver.push(...made.passedOver);
    for (const problem of made.problems) this.problems.push(notEnforced(problem, origin));
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

  /** Told once for an entry. */
  #ref(service: string, origin: string): ServiceRef | undefined {
    const ref = serviceOf(service, this.#input.namespace);
    if (ref === undefined) {
      const problem = entryProblem(
        "IM0730",
        "warning",
        origin,
        `"${service}" is no DNS label, so no call can be addressed to it. Nothing is made of it. Give the service another name.`,
      );
      if (!this.problems.some(({ file, message }) => file === problem.file && message === problem.message))
        this.problems.push(problem);
    }
    return ref;
  }

  /** @throws {FieldFault} for a name that no call can be addressed to */
  #host(service: string): string {
    const ref = serviceOf(service, this.#input.namespace);
    if (ref === undefined) throw new FieldFault(`"${service}" is no DNS label, so nothing can be sent there`);
    return `${ref.service}.${ref.namespace}.svc.cluster.local`;
  }

  #refuse(origin: string, error: unknown, consequence: string): void {
    const fact = error instanceof Error ? error.message : String(error);
    this.problems.push(
      entryProblem("IM0730", "error", origin, `${fact}. ${consequence} Correct the entries in Consul.`),
    );
  }
}

function manifest(kind: string, name: string, namespace: string, spec: object): Manifest {
  return { apiVersion: NETWORKING, kind, metadata: { name, namespace }, spec: { ...spec } };
}

function security(name: string, namespace: string, spec: object): Manifest {
  const policy = manifest("AuthorizationPolicy", name, namespace, spec);
  return { ...policy, apiVersion: "security.istio.io/v1" };
}

/** Intentions are Consul's to enforce where its proxies run: that the mesh does not, yet, refuses nothing. */
function notEnforced(problem: Problem, origin: string): Problem {
  if (problem.code !== "IM0004") return problem;
  const message = `${origin} of Consul is translated and not enforced by this version of inmesh: it refuses nobody. Enforce it elsewhere before you rely on it.`;
  return { ...problem, severity: "warning", message };
}

function nameOf(service: string): string {
  return `consul-${service.toLowerCase()}`;
}

/** An override says what it says; the defaults the rest. */
function merged(defaults: UpstreamPolicy | undefined, own: UpstreamPolicy | undefined): UpstreamPolicy | undefined {
  if (defaults === undefined || own === undefined) return own ?? defaults;
  const said = Object.entries(own).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(said) };
}

function sorted(names: Iterable<string>): string[] {
  return [...new Set(names)].sort();
}
