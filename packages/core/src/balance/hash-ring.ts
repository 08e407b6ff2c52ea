/**
 * A ring of hashes (ketama): every endpoint stands on it at many points, a request goes to the first point at or after its
 * hash. Points, their number and their order are Envoy's: xxHash64 of `address_index`, each endpoint in proportion to its
 * weight, the lightest one with a whole number of them.
 */

import type { EndpointState } from "../cluster/endpoint-state.js";
import type { HashTable } from "./hash-balancer.js";
import type { XxHash } from "./xx-hash.js";

/** Envoy's upper bound, whatever the weights ask for. */
const MAX_POINTS = 8 * 1024 * 1024;

export class HashRing implements HashTable {
  readonly endpoints: readonly EndpointState[];
  /** Ascending. */
  readonly #hashes: BigUint64Array;
  /** Index in `endpoints` of each point. */
  readonly #owners: Uint32Array;

  /** @param endpoints none of weight 0; not empty */
  constructor(endpoints: readonly EndpointState[], minimumRingSize: number, hash: XxHash) {
    this.endpoints = endpoints;
    const total = endpoints.reduce((sum, { endpoint }) => sum + endpoint.weight, 0);
    const least = endpoints.reduce((weight, { endpoint }) => Math.min(weight, endpoint.weight), total) / total;
    const scale = Math.min(Math.ceil(least * minimumRingSize) / least, MAX_POINTS);
    const owners = new Map<bigint, number>(); // two points of one hash do not happen: 64 bits
    const hashes = new BigUint64Array(Math.ceil(scale) + endpoints.length);
    let target = 0;
    let points = 0;
    for (const [owner, { endpoint }] of endpoints.entries()) {
      target += scale * (endpoint.weight / total); // rounded as Envoy does
      for (let index = 0; points < target; index++) {
        const point = hash(`${endpoint.id}_${index}`);
        owners.set(point, owner);
        hashes[points++] = point;
      }
    }
    this.#hashes = hashes.slice(0, points).sort(); // by value: far faster than sorting pairs
    this.#owners = Uint32Array.from(this.#hashes, (point) => owners.get(point)!); // set above
  }

  get size(): number {
    return this.#owners.length;
  }

  get text(): string {
    return `ring of ${this.size} points`;
  }

  slotOf(hash: bigint): number {
    const hashes = this.#hashes;
    let low = 0;
    let high = hashes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (hashes[middle]! < hash)
        low = middle + 1; // in range
      else high = middle;
    }
    return low === hashes.length ? 0 : low;
  }

  at(slot: number): EndpointState {
    return this.endpoints[this.#owners[slot]!]!; // below `size`
  }
}
