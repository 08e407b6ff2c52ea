/**
 * LEAST_REQUEST, Istio's default: draw two, take the one with fewer attempts in flight per unit of weight (Mitzenmacher,
 * "The Power of Two Choices in Randomized Load Balancing", IEEE TPDS 12(10), 2001).
 * Differs: Envoy turns to a weighted round robin when weights are unequal; here the draw itself follows the weights.
 */

import type { EndpointState } from "../cluster/endpoint-state.js";
import type { Random } from "../runtime/random.js";
import type { Balancer } from "./balancer.js";
import { WeightedDraw } from "./weights.js";

export class LeastRequest implements Balancer {
  readonly #random: Random;
  readonly #draw: WeightedDraw;
  #states: readonly EndpointState[] = [];

  constructor({ random }: { readonly random: Random }) {
    this.#random = random;
    this.#draw = new WeightedDraw(random);
  }

  update(states: readonly EndpointState[]): void {
    this.#states = states;
    this.#draw.update(states);
  }

  pick(): EndpointState | undefined {
    const states = this.#states;
    const size = states.length;
    if (size < 2) return states[0];
    const i = this.#draw.next();
    let j: number;
    if (this.#draw.equal) {
      j = this.#random.int(size - 1);
      if (j >= i) j += 1; // stepping over `i` keeps the draw of two distinct ones uniform
    } else j = this.#draw.next();
    const a = states[i]!; // both drawn in range
    const b = states[j]!;
    return (a.inFlight + 1) * b.endpoint.weight <= (b.inFlight + 1) * a.endpoint.weight ? a : b;
  }
}
