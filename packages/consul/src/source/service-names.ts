/** Services by name, from one watch of the catalog. */

import type { KnownService, ServiceRef } from "@inmesh/core";
import { ConsulError } from "../client/consul-error.js";
import { CALLERS_SERVICE, consulName, serviceOf } from "../service-name.js";

/** Consul's servers register themselves under it; no call of the mesh goes there. */
const CONSUL_ITSELF = "consul";

export class ServiceNames {
  readonly #home: string;
  #names: readonly string[] = [];
  #refs = new Map<string, ServiceRef>();
  #known = new Map<string, KnownService>();

  /** @param home namespace of services that say nothing of one */
  constructor(home: string) {
    this.#home = home;
  }

  /** As Consul has them, sorted, without Consul itself. */
  get names(): readonly string[] {
    return this.#names;
  }

  /** Undefined for a name that no call can be addressed to. */
  refOf(name: string): ServiceRef | undefined {
    return this.#refs.get(name) ?? serviceOf(name, this.#home);
  }

  /** Names that are not among these any more. */
  vanished(names: readonly string[]): readonly string[] {
    const present = new Set(names);
    return this.#names.filter((name) => !present.has(name));
  }

  /** @returns whether anything changed */
  update(names: readonly string[]): boolean {
    const sorted = names.filter((name) => name !== CONSUL_ITSELF).sort();
    if (sorted.length === this.#names.length && sorted.every((name, index) => name === this.#names[index]))
      return false;
    this.#names = sorted;
    this.#refs = new Map(sorted.flatMap((name) => this.#addressable(name)));
    return true;
  }

  /**
   * Each object as before unless it changed.
   * @param rulesOf whether the policy for a service alone is told: none of its instances are before it is. Undefined where
   *   it does not depend on use.
   * @param named services that rules name: a host is known by its rules, too, and nobody serves it then
   */
  list(
    isLoaded: (name: string) => boolean,
    rulesOf: (name: string) => boolean | undefined,
    named: readonly ServiceRef[],
  ): readonly KnownService[] {
    const known = new Map<string, KnownService>();
    const refs = new Map(this.#refs);
    for (const ref of named) refs.set(consulName(ref, this.#home), ref);
    for (const [name, ref] of refs) {
      const rulesLoaded = rulesOf(name);
      const loaded = rulesLoaded !== false && (!this.#refs.has(name) || isLoaded(name));
      const before = this.#known.get(name);
      const same = before?.loaded === loaded && before.rulesLoaded === rulesLoaded;
      known.set(name, same ? before : { ...ref, loaded, ...(rulesLoaded !== undefined && { rulesLoaded }) });
    }
    this.#known = known;
    return [...known.values()];
  }

  #addressable(name: string): [string, ServiceRef][] {
    const ref = name === CALLERS_SERVICE ? undefined : serviceOf(name, this.#home);
    return ref === undefined ? [] : [[name, ref]];
  }
}

/** @throws {ConsulError} `garbled` */
export function catalogNames(body: unknown, shown: string): readonly string[] {
  if (typeof body === "object" && body !== null && !Array.isArray(body)) return Object.keys(body);
  throw new ConsulError("garbled", `${shown} answered a question for the names of services with something else`);
}
