/** Says which services are in use, where their registry tells instances only of those; each at most once in a while. */

import type { Service, ServiceRef } from "@inmesh/model";

/** In ms. Registries keep telling for much longer after the last word. */
const AGAIN_MS = 60_000;
/** Names come and go in a registry: beyond so many, those said long ago are forgotten. */
const MOST = 1_024;

export class ServiceUse {
  readonly #onUse: (service: ServiceRef) => void;
  /** Clock ms of the last word, by `namespace/service`. */
  readonly #saidAt = new Map<string, number>();

  /** Clock ms from which on the rules of a service are worth another word. */
  readonly #rulesAgainAt = new WeakMap<Service, number>();

  constructor(onUse: (service: ServiceRef) => void) {
    this.#onUse = onUse;
  }

  /**
   * It is called, or about to be.
   * @returns clock ms from which on this is worth saying again; never for one whose registry tells everything
   */
  note({ knownAs }: Service, now: number): number {
    if (knownAs === undefined) return Number.POSITIVE_INFINITY;
    let nextAt = now + AGAIN_MS;
    for (const name of knownAs) {
      const key = `${name.namespace}/${name.service}`;
      const againAt = (this.#saidAt.get(key) ?? Number.NEGATIVE_INFINITY) + AGAIN_MS;
      if (againAt > now) {
        nextAt = Math.min(nextAt, againAt); // said for another cluster
        continue;
      }
      this.#saidAt.set(key, now);
      if (this.#saidAt.size > MOST) this.#forget(now - AGAIN_MS);
      this.#onUse(name);
    }
    return nextAt;
  }

  /** A call goes by its rules, and may never come to its instances. On every call. */
  noteRules(service: Service, now: number): void {
    if (now < (this.#rulesAgainAt.get(service) ?? Number.NEGATIVE_INFINITY)) return;
    this.#rulesAgainAt.set(service, this.note(service, now));
  }

  #forget(before: number): void {
    for (const [key, at] of this.#saidAt) if (at <= before) this.#saidAt.delete(key);
  }
}
