/**
 * ROUND_ROBIN: in turn, from a random start, so that many processes do not walk in step. With unequal weights every
 * endpoint has a next turn and moves it on by 1/weight when it was served; the earliest turn is next (earliest deadline
 * first over a binary heap, as in Envoy): O(log n) per pick. While somebody is warming up, weights are unequal.
 */

import type { EndpointState } from "../cluster/endpoint-state.js";
import type { Random } from "../runtime/random.js";
import type { Balancer } from "./balancer.js";
import type { WarmUp } from "./warm-up.js";

export interface RoundRobinOptions {
  readonly random: Random;
  /** Absent: newcomers take their full share at once. */
  readonly warmUp?: WarmUp | undefined;
}

export class RoundRobin implements Balancer {
  readonly #random: Random;
  readonly #warmUp: WarmUp | undefined;
  #states: readonly EndpointState[] = [];
  #next = 0;
  /** Next turn of each endpoint, by index in `#states`; undefined when all weights are equal. */
  #turns: Float64Array | undefined;
  /** Indices as a binary heap, earliest turn first. */
  #heap = new Uint32Array(0);

  /** Clock ms until which turns are needed although weights are equal. */
  #warmAt = Number.NEGATIVE_INFINITY;
  #isEven = true;

  constructor({ random, warmUp }: RoundRobinOptions) {
    this.#random = random;
    this.#warmUp = warmUp;
  }

  update(states: readonly EndpointState[]): void {
    const start = this.#turns?.[this.#heap[0] ?? 0] ?? 0;
    const before = new Map(this.#states.map((state, index) => [state, this.#turns?.[index]]));
    this.#states = states;
    this.#next = states.length === 0 ? 0 : this.#random.int(states.length);
    const first = states[0]?.endpoint.weight;
    this.#isEven = states.every(({ endpoint }) => endpoint.weight === first);
    this.#warmAt = this.#warmUp?.warmAt(states) ?? Number.NEGATIVE_INFINITY;
    if (this.#isEven && this.#warmUp === undefined) {
      this.#turns = undefined;
      return;
    }
    // Whoever stays keeps its turn; a newcomer gets one somewhere in its first round.
    this.#turns = Float64Array.from(
      states,
      (state) => before.get(state) ?? start + this.#random.next() * roundOf(state),
    );
    this.#heap = Uint32Array.from(states, (_, index) => index);
    for (let position = states.length >>> 1; position-- > 0; ) this.#sink(position, this.#turns);
  }

  pick(now: number): EndpointState | undefined {
    const states = this.#states;
    if (states.length === 0) return undefined;
    const warmUp = now < this.#warmAt ? this.#warmUp : undefined;
    if (warmUp === undefined && this.#isEven) this.#turns = undefined; // all are warm
    const turns = this.#turns;
    if (turns === undefined) {
      if (this.#next >= states.length) this.#next = 0;
      return states[this.#next++];
    }
    const index = this.#heap[0]!; // one entry per endpoint
    const state = states[index]!;
    turns[index]! += warmUp === undefined ? roundOf(state) : roundOf(state) / warmUp.factor(state, now); // same length
    this.#sink(0, turns);
    return state;
  }

  /** Restores the heap below `position`. */
  #sink(position: number, turns: Float64Array): void {
    const heap = this.#heap;
    const moving = heap[position]!; // positions are below the length
    const turn = turns[moving]!;
    for (;;) {
      let child = 2 * position + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && turns[heap[child + 1]!]! < turns[heap[child]!]!) child += 1;
      if (turns[heap[child]!]! >= turn) break;
      heap[position] = heap[child]!;
      position = child;
    }
    heap[position] = moving;
  }
}

/** Distance between two turns. An endpoint of weight 0 comes last: when nobody else is there it still serves. */
function roundOf({ endpoint }: EndpointState): number {
  return endpoint.weight > 0 ? 1 / endpoint.weight : Number.MAX_SAFE_INTEGER;
}
