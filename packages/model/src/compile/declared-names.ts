/** Services that documents declare, by the names under which a registry may have their instances, and as it tells of them. */

import type { Resource } from "../resource.js";
import type { KnownService, Service, ServiceRef } from "../snapshot/workload.js";
import { getOrMake } from "./get-or-make.js";
import { type KnownNames, namesOf } from "./known-names.js";
import { rulesOnUse, serviceHost } from "./services.js";

/** As last told, by the service as its document makes it: unchanged is the same object. */
export type ToldServices = WeakMap<Service, Service>;

const NO_RULES: KnownService = { namespace: "", service: "", loaded: true };

interface Declared {
  readonly service: Service;
  readonly keys: readonly string[];
}

export class DeclaredNames {
  readonly #all: Declared[] = [];
  readonly #byKey = new Map<string, Declared[]>();
  readonly #told: ToldServices;

  /**
   * @param services of any origin, as documents make them
   * @param told by an earlier view
   */
  constructor(services: Iterable<Service>, resourceOf: (key: string) => Resource | undefined, told: ToldServices) {
    this.#told = told;
    for (const service of services) {
      const keys = service.implicit ? [] : namesOf(service, resourceOf);
      if (keys.length === 0) continue;
      const declared = { service, keys };
      this.#all.push(declared);
      for (const key of keys) getOrMake(this.#byKey, key, () => []).push(declared);
    }
  }

  /** Those that one of the names concerns, as the registry tells of them now. @param keys every one there is where absent */
  tell(names: KnownNames, keys?: readonly string[]): readonly Service[] {
    const concerned = keys === undefined ? this.#all : new Set(keys.flatMap((key) => this.#byKey.get(key) ?? []));
    return [...concerned].map((declared) => this.#tell(declared, names));
  }

  #tell({ service, keys }: Declared, names: KnownNames): Service {
    const known = keys.flatMap((key) => names.get(key) ?? []);
    if (known.length === 0) return service;
    const pending = known.some(({ loaded }) => !loaded);
    const knownAs = known.map(({ namespace, service: name }): ServiceRef => ({ namespace, service: name }));
    // One whose rules are to be waited for first.
    const byUse = known.filter(({ rulesLoaded }) => rulesLoaded !== undefined);
    const rules = rulesOnUse(byUse.find(({ rulesLoaded }) => rulesLoaded === false) ?? byUse[0] ?? NO_RULES);
    // Others may be among them by their labels.
    const { servedBy } = known.find((each) => serviceHost(each.service, each.namespace) === service.host) ?? {};
    const last = this.#told.get(service);
    if (
      last !== undefined &&
      (last.pending === true) === pending &&
      last.rulesPending === rules.rulesPending &&
      sameNames(asList(last.rulesOnUse), asList(rules.rulesOnUse)) &&
      sameNames(last.knownAs, knownAs) &&
      last.servedBy?.join() === servedBy?.join()
    ) {
      return last;
    }
    const made: Service = {
      ...{ ...service, knownAs },
      ...(servedBy && { servedBy }),
      ...(pending && { pending }),
      ...rules,
    };
    this.#told.set(service, made);
    return made;
  }
}

function asList(name: ServiceRef | undefined): readonly ServiceRef[] {
  return name === undefined ? [] : [name];
}

function sameNames(a: Service["knownAs"] = [], b: readonly ServiceRef[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ namespace, service }, index) => namespace === b[index]?.namespace && service === b[index]?.service)
  );
}
