/**
 * ROUND_ROBIN: in turn, from a random start, so that many processes do not walk in step. Unequal weights follow the
 * smooth schedule in which each endpoint gains its weight per turn and the richest pays the total (nginx's, 2012).
 */

import type { EndpointState } from "../cluster/endpoint-state.js";
import type { Random } from "../runtime/random.js";
import type { Balancer } from "./balancer.js";

export class RoundRobin implements Balancer {
  readonly #random: Random;
  #states: readonly EndpointState[] = [];
  #next = 0;
  /** Credit of each endpoint; undefined when all weights are equal. */
  #credit: Float64Array | undefined;
  #total = 0;

  constructor({ random }: { readonly random: Random }) {
    this.#random = random;
  }

  update(states: readonly EndpointState[]): void {
    const before = new Map(this.#states.map((state, index) => [state, this.#credit?.[index] ?? 0]));
    this.#states = states;
    this.#next = states.length === 0 ? 0 : this.#random.int(states.length);
    const first = states[0]?.endpoint.weight;
    this.#credit = states.every(({ endpoint }) => endpoint.weight === first)
      ? undefined
      : Float64Array.from(states, (state) => before.get(state) ?? 0);
    this.#total = states.reduce((sum, { endpoint }) => sum + endpoint.weight, 0);
  }

  pick(): EndpointState | undefined {
    const states = this.#states;
    if (states.length === 0) return undefined;
    const credit = this.#credit;
    if (credit === undefined) {
      if (this.#next >= states.length) this.#next = 0;
      return states[this.#next++];
    }
    let richest = 0;
    for (let index = 0; index < states.length; index++) {
      credit[index]! += states[index]!.endpoint.weight; // same length
      if (credit[index]! > credit[richest]!) richest = index;
    }
    credit[richest]! -= this.#total; // in range
    return states[richest];
  }
}
