/**
 * Maglev (Eisenbud et al., NSDI 2016, §3.4): endpoints take turns in filling a table, each by its own permutation of the
 * slots; a request goes to the slot of its hash. Finer balance than a ring's for one look-up, and few move when one leaves.
 * Turns, weights and both seeds of the permutations are Envoy's.
 */

import type { EndpointState } from "../cluster/endpoint-state.js";
import type { HashTable } from "./hash-balancer.js";
import type { XxHash } from "./xx-hash.js";

const FREE = 0xffff_ffff;

export class MaglevTable implements HashTable {
  readonly endpoints: readonly EndpointState[];
  readonly #size: bigint;
  /** Index in `endpoints` of each slot. */
  readonly #owners: Uint32Array;

  /**
   * @param endpoints none of weight 0; not empty
   * @param size a prime
   */
  constructor(endpoints: readonly EndpointState[], size: number, hash: XxHash) {
    // The order of turns must be the same everywhere, whatever the registry's.
    this.endpoints = [...endpoints].sort((a, b) => (a.endpoint.id < b.endpoint.id ? -1 : 1));
    this.#size = BigInt(size);
    this.#owners = fill(this.endpoints, size, hash);
  }

  get size(): number {
    return this.#owners.length;
  }

  get text(): string {
    return `maglev table of ${this.size} slots`;
  }

  slotOf(hash: bigint): number {
    return Number(hash % this.#size);
  }

  at(slot: number): EndpointState {
    return this.endpoints[this.#owners[slot]!]!; // below `size`
  }
}

function fill(endpoints: readonly EndpointState[], size: number, hash: XxHash): Uint32Array {
  const owners = new Uint32Array(size).fill(FREE);
  // Fractions of the sum, rounded where Envoy rounds them: turns are decided by their last digits.
  const total = endpoints.reduce((sum, { endpoint }) => sum + endpoint.weight, 0);
  const weights = Float64Array.from(endpoints, ({ endpoint }) => endpoint.weight / total);
  const heaviest = weights.reduce((most, weight) => Math.max(most, weight), 0);
  const next = Float64Array.from(endpoints, ({ endpoint }) => Number(hash(endpoint.id) % BigInt(size)));
  const skip = Float64Array.from(endpoints, ({ endpoint }) => Number(hash(endpoint.id, 1n) % BigInt(size - 1)) + 1);
  /** An endpoint of the greatest weight has a turn in every round, one of half of it in every second. */
  const due = new Float64Array(endpoints.length);
  let filled = 0;
  for (let round = 1; ; round++) {
    for (let index = 0; index < due.length; index++) {
      if (round * weights[index]! < due[index]!) continue; // one each
      due[index]! += heaviest;
      let slot = next[index]!;
      while (owners[slot] !== FREE) slot = (slot + skip[index]!) % size;
      owners[slot] = index;
      next[index] = (slot + skip[index]!) % size;
      if (++filled === size) return owners;
    }
  }
}
