/**
 * LEAST_REQUEST, Istio's default: draw two, take the one with fewer attempts in flight per unit of weight (Mitzenmacher,
 * "The Power of Two Choices in Randomized Load Balancing", IEEE TPDS 12(10), 2001).
 * Differs: Envoy turns to a weighted round robin when weights are unequal; here the draws themselves follow the weights,
 * and the first one wins a tie, so that idle endpoints get their share too.
 */

import type { EndpointState } from "../cluster/endpoint-state.js";
import type { Random } from "../runtime/random.js";
import type { Balancer } from "./balancer.js";
import { WeightedDraw } from "./weights.js";

export class LeastRequest implements Balancer {
  readonly #draw: WeightedDraw;
  #states: readonly EndpointState[] = [];

  constructor({ random }: { readonly random: Random }) {
    this.#draw = new WeightedDraw(random);
  }

  update(states: readonly EndpointState[]): void {
    this.#states = states;
    this.#draw.update(states);
  }

  pick(): EndpointState | undefined {
    const states = this.#states;
    if (states.length < 2) return states[0];
    const i = this.#draw.next();
    const a = states[i]!; // both drawn in range
    const b = states[this.#draw.other(i)]!;
    return a.inFlight * b.endpoint.weight <= b.inFlight * a.endpoint.weight ? a : b;
  }
}
