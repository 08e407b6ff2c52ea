/** What entries say of all services, and of one service's calls to every other. */

import type { ServiceRef } from "@inmesh/core";
import { serviceOf } from "../service-name.js";
import type { ConfigEntries, UpstreamPolicy } from "./config-entry.js";
import { destinationRuleSpec, h2ByDefault, h2Spec, upstreamSpec } from "./destination-rule.js";
import { entryProblem } from "./entry-problem.js";
import type { HostPlans } from "./host-plans.js";
import { intentionPolicy } from "./intention-policy.js";
import { type Made, MadeDocuments, manifest, nameOf, sorted } from "./made-documents.js";
import type { Manifest } from "./service-policy.js";

/** Rules in it are for every service that has none of its own. */
const ROOT_NAMESPACE = "istio-system";
/** Hosts of all services. */
const ALL_SERVICES = "*.svc.cluster.local";

export interface CommonInput {
  readonly entries: ConfigEntries;
  readonly plan: HostPlans;
  readonly namespace: string;
  readonly intentionDefault: "allow" | "deny";
  /** Names in the catalog, as Consul has them. */
  readonly services: readonly string[];
}

/** @param before what was made the last time */
export function translateCommon(input: CommonInput, before: ReadonlyMap<string, Made>): MadeDocuments {
  const made = new MadeDocuments(input.namespace, before);
  new CommonTranslator(input, made).translate();
  return made;
}

class CommonTranslator {
  readonly #input: CommonInput;
  readonly #entries: ConfigEntries;
  readonly #made: MadeDocuments;

  constructor(input: CommonInput, made: MadeDocuments) {
    this.#input = input;
    this.#entries = input.entries;
    this.#made = made;
  }

  translate(): void {
    if (h2ByDefault(this.#entries)) {
      const spec = { ...h2Spec(ALL_SERVICES), exportTo: ["*"] };
      this.#made.add(
        manifest("DestinationRule", "consul-proxy-defaults", ROOT_NAMESPACE, spec),
        "proxy-defaults/global",
      );
    }
    for (const [service, { upstreams }] of this.#entries.defaults)
      if (upstreams !== undefined) this.#upstreams(service);
    this.#intentions();
  }

  /** Rules of one caller, in its namespace: the service's own rule with what the caller adds to it. */
  #upstreams(caller: string): void {
    const upstreams = this.#entries.defaults.get(caller)?.upstreams;
    const origin = `service-defaults/${caller}`;
    const ref = upstreams && this.#made.ref(caller, origin);
    if (upstreams === undefined || ref === undefined) return;
    const { defaults, overrides } = upstreams;
    const selector = { workloadSelector: { matchLabels: { app: ref.service } } };
    const add = (suffix: string, spec: object): void =>
      this.#made.add(
        manifest("DestinationRule", `${nameOf(caller)}-to-${suffix}`, ref.namespace, { ...spec, ...selector }),
        origin,
      );
    const { resolvers, defaults: services } = this.#entries;
    const known = defaults === undefined ? [] : [...this.#input.plan.hosts, ...resolvers.keys(), ...services.keys()];
    for (const service of sorted([...known, ...overrides.keys()])) {
      const upstream = merged(defaults, overrides.get(service));
      if (this.#made.ref(service, origin) === undefined) continue;
      const input = {
        entries: this.#entries,
        plan: this.#input.plan,
        service,
        host: this.#made.host(service),
        upstream,
      };
      const spec = destinationRuleSpec(input);
      if (spec !== undefined) add(service, spec);
    }
    const spec = defaults && upstreamSpec(this.#entries, ALL_SERVICES, defaults);
    if (spec !== undefined) add("all", spec);
  }

  #intentions(): void {
    const { services, intentionDefault } = this.#input;
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
        this.#made.problems.push(
          entryProblem("IM0201", severity, origin, `${field} is not acted on as written. ${why}`),
        );
      }
      this.#made.add(security(nameOf(service), ref.namespace, policy.spec), origin);
    }
    if (intentionDefault === "allow") return;
    // Nobody is let in whom no rule lets in.
    for (const namespace of sorted([...namespaces, this.#input.namespace])) {
      this.#made.add(security("consul-default-deny", namespace, {}), "service-intentions/*");
    }
  }
}

function security(name: string, namespace: string, spec: object): Manifest {
  const policy = manifest("AuthorizationPolicy", name, namespace, spec);
  return { ...policy, apiVersion: "security.istio.io/v1" };
}

/** An override says what it says; the defaults the rest. */
function merged(defaults: UpstreamPolicy | undefined, own: UpstreamPolicy | undefined): UpstreamPolicy | undefined {
  if (defaults === undefined || own === undefined) return own ?? defaults;
  const said = Object.entries(own).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(said) };
}
