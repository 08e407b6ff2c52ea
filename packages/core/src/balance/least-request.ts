/**
 * LEAST_REQUEST, Istio's default: draw two, take the one with fewer attempts in flight per unit of weight (Mitzenmacher,
 * "The Power of Two Choices in Randomized Load Balancing", IEEE TPDS 12(10), 2001).
 * Differs: Envoy turns to a weighted round robin when weights are unequal or somebody is warming up; here the draws
 * themselves follow the weights, and the first one wins a tie, so that idle endpoints get their share too.
 */

import type { EndpointState } from "../cluster/endpoint-state.js";
import type { Random } from "../runtime/random.js";
import type { Balancer } from "./balancer.js";
import type { WarmUp } from "./warm-up.js";
import { WeightedDraw } from "./weights.js";

/** Draws that may be turned down in a row: after so many, one is taken although it is cold. */
const MOST_DRAWS = 32;

export interface LeastRequestOptions {
  readonly random: Random;
  /** Absent: newcomers take their full share at once. */
  readonly warmUp?: WarmUp | undefined;
}

export class LeastRequest implements Balancer {
  readonly #random: Random;
  readonly #draw: WeightedDraw;
  readonly #warmUp: WarmUp | undefined;
  #states: readonly EndpointState[] = [];
  /** Clock ms. */
  #warmAt = Number.NEGATIVE_INFINITY;
  /** Who is warmest by now. */
  #eldest: EndpointState | undefined;

  constructor({ random, warmUp }: LeastRequestOptions) {
    this.#random = random;
    this.#draw = new WeightedDraw(random);
    this.#warmUp = warmUp;
  }

  update(states: readonly EndpointState[]): void {
    this.#states = states;
    this.#draw.update(states);
    if (this.#warmUp === undefined) return;
    this.#warmAt = this.#warmUp.warmAt(states);
    this.#eldest = states.reduce<EndpointState | undefined>(
      (eldest, state) => (eldest === undefined || state.since < eldest.since ? state : eldest),
      undefined,
    );
  }

  pick(now: number): EndpointState | undefined {
    const states = this.#states;
    if (states.length < 2) return states[0];
    if (now < this.#warmAt) return this.#pickWarming(now, this.#warmUp!); // it alone sets the time
    const i = this.#draw.next();
    const a = states[i]!; // both drawn in range
    const b = states[this.#draw.other(i)]!;
    return a.inFlight * b.endpoint.weight <= b.inFlight * a.endpoint.weight ? a : b;
  }

  #pickWarming(now: number, warmUp: WarmUp): EndpointState {
    const warmest = warmUp.factor(this.#eldest!, now); // at least two
    const i = this.#drawWarm(now, warmUp, warmest, -1);
    const a = this.#states[i]!; // both drawn in range
    const b = this.#states[this.#drawWarm(now, warmUp, warmest, i)]!;
    const weightOfA = a.endpoint.weight * warmUp.factor(a, now);
    const weightOfB = b.endpoint.weight * warmUp.factor(b, now);
    return a.inFlight * weightOfB <= b.inFlight * weightOfA ? a : b;
  }

  /** One that is half as warm as the warmest is turned down every second time. */
  #drawWarm(now: number, warmUp: WarmUp, warmest: number, first: number): number {
    let drawn = 0;
    for (let draw = 0; draw < MOST_DRAWS; draw++) {
      drawn = first < 0 ? this.#draw.next() : this.#draw.other(first);
      if (this.#random.next() * warmest < warmUp.factor(this.#states[drawn]!, now)) break; // drawn in range
    }
    return drawn;
  }
}
