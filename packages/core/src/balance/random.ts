/** RANDOM: uniform, or proportional to the endpoints' weights. */

import type { EndpointState } from "../cluster/endpoint-state.js";
import type { Random } from "../runtime/random.js";
import type { Balancer } from "./balancer.js";
import { WeightedDraw } from "./weights.js";

export class RandomBalancer implements Balancer {
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
    return this.#states.length === 0 ? undefined : this.#states[this.#draw.next()];
  }
}
