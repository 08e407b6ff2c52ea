/**
 * consistentHash: equal hashes go to the same endpoint, from every process that knows the same endpoints. A request without
 * a hash goes anywhere.
 *
 * Differs: Envoy builds its table of healthy endpoints only, so that it changes with everybody's health. Ours holds them all,
 * and a request whose endpoint is left alone walks on to the next in the table: only the ill one's requests move (pitfalls L9).
 */

import type { HashAlgorithm } from "@inmesh/model";
import type { EndpointState } from "../cluster/endpoint-state.js";
import type { Random } from "../runtime/random.js";
import type { Balancer, BalancerView, Picking } from "./balancer.js";
import { HashRing } from "./hash-ring.js";
import { MaglevTable } from "./maglev-table.js";
import { RandomBalancer } from "./random.js";
import type { XxHashLoader } from "./xx-hash.js";

/** Slots in a circle, each owned by one endpoint. */
export interface HashTable {
  readonly size: number;
  /** For the admin endpoint. */
  readonly text: string;
  slotOf(hash: bigint): number;
  at(slot: number): EndpointState;
}

export interface HashBalancerOptions {
  readonly random: Random;
  readonly xxHash: XxHashLoader;
}

export class HashBalancer implements Balancer {
  readonly #algorithm: HashAlgorithm;
  readonly #xxHash: XxHashLoader;
  readonly #anywhere: RandomBalancer;
  #members: readonly EndpointState[] = [];
  /** What `#table` was made of, in words. */
  #membership = "";
  /** Undefined until the first hash comes, and after the members changed: building takes up to milliseconds. */
  #table: HashTable | undefined;
  /** Undefined while all members may be picked. */
  #usable: ReadonlySet<EndpointState> | undefined;

  constructor(algorithm: HashAlgorithm, { random, xxHash }: HashBalancerOptions) {
    this.#algorithm = algorithm;
    this.#xxHash = xxHash;
    this.#anywhere = new RandomBalancer({ random });
  }

  update(usable: readonly EndpointState[], all: readonly EndpointState[]): void {
    this.#anywhere.update(usable);
    this.#usable = usable.length < all.length ? new Set(usable) : undefined;
    const membership = membershipOf(all);
    if (membership === this.#membership && sameObjects(all, this.#members)) return;
    this.#membership = membership;
    this.#members = all;
    this.#table = undefined;
  }

  pick(_now: number, { hash }: Picking, avoid?: readonly EndpointState[]): EndpointState | undefined {
    if (hash === undefined || this.#members.length === 0) return this.#anywhere.pick();
    const table = this.#table ?? this.#build();
    if (table === undefined) return this.#anywhere.pick();
    const first = table.slotOf(hash);
    const usable = this.#usable;
    const chosen = table.at(first);
    if (usable === undefined && avoid === undefined) return chosen;
    let fallback: EndpointState | undefined;
    for (let step = 0; step < table.size; step++) {
      const state = table.at((first + step) % table.size);
      if (usable !== undefined && !usable.has(state)) continue;
      if (avoid === undefined || !avoid.includes(state)) return state;
      fallback ??= state;
    }
    return fallback ?? this.#anywhere.pick(); // none in the table is usable: those of weight 0 are
  }

  describe(): BalancerView {
    const table = this.#table ?? this.#build();
    return { notes: table === undefined ? ["no hash was asked for yet"] : [table.text] };
  }

  #build(): HashTable | undefined {
    const { hash } = this.#xxHash;
    if (hash === undefined || this.#members.length === 0) return undefined;
    const algorithm = this.#algorithm;
    const weighted = this.#members.filter(({ endpoint }) => endpoint.weight > 0);
    if (weighted.length === 0) return undefined; // weights of 0 leave nothing to be in proportion to
    this.#table =
      algorithm.kind === "maglev"
        ? new MaglevTable(weighted, algorithm.tableSize, hash)
        : new HashRing(weighted, algorithm.minimumRingSize, hash);
    return this.#table;
  }
}

/** Health and labels change nothing in a table. */
function membershipOf(states: readonly EndpointState[]): string {
  return states.map(({ endpoint }) => `${endpoint.id} ${endpoint.weight}`).join();
}

/** An endpoint that left and came back has a new state. */
function sameObjects(a: readonly EndpointState[], b: readonly EndpointState[]): boolean {
  return a.length === b.length && a.every((state, index) => state === b[index]);
}
