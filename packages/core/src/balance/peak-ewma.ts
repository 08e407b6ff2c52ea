/**
 * Power of two choices over a peak-sensitive moving average of latency: cost is latency x (in flight + 1) / weight. A
 * sample above the average replaces it at once, one below pulls it down with the time constant DECAY_MS.
 *
 * Sources: Mitzenmacher, IEEE TPDS 12(10), 2001; Finagle's Peak EWMA (one probe for an endpoint without history); a
 * newcomer is assumed to be as slow as the average of the others, so that it is not flooded (pitfalls L3).
 */

import type { Outcome } from "../call/attempt.js";
import type { EndpointState } from "../cluster/endpoint-state.js";
import type { Clock } from "../runtime/clock.js";
import type { Random } from "../runtime/random.js";
import type { Balancer } from "./balancer.js";

/** Mean lifetime of a sample, in ms. */
const DECAY_MS = 10_000;
/** A failed attempt counts as at least this slow, in ms: failing fast must not look fast. */
const FAILURE_MS = 5_000;

export class PeakEwma implements Balancer {
  readonly #clock: Clock;
  readonly #random: Random;
  #states: readonly EndpointState[] = [];
  /** Plain average over recent samples of all endpoints, in ms: what a newcomer is taken for. */
  #pooledMs = 0;

  constructor({ clock, random }: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = clock;
    this.#random = random;
  }

  update(states: readonly EndpointState[]): void {
    this.#states = states;
  }

  pick(): EndpointState | undefined {
    const states = this.#states;
    const size = states.length;
    if (size < 2) return states[0];
    const i = this.#random.int(size);
    const j = this.#random.int(size - 1);
    const a = states[i]!; // both drawn in range
    const b = states[j < i ? j : j + 1]!; // stepping over `i` keeps the draw uniform
    return this.#cost(a) <= this.#cost(b) ? a : b;
  }

  observe(state: EndpointState, latencyMs: number, outcome: Outcome): void {
    if (outcome === "neutral") return;
    const sampleMs = outcome === "failure" ? Math.max(latencyMs, FAILURE_MS) : latencyMs;
    const keep = this.#retained(state);
    const pastMs = Math.max(0, state.latencyMs) * keep;
    state.latencyMs = sampleMs > pastMs ? sampleMs : pastMs + sampleMs * (1 - keep);
    state.latencyAt = this.#clock.now();
    this.#pooledMs += (sampleMs - this.#pooledMs) / 16;
  }

  #cost(state: EndpointState): number {
    if (state.latencyMs < 0 && state.inFlight === 0) return 0; // one probe, then wait for its answer
    const latencyMs = state.latencyMs < 0 ? this.#pooledMs : state.latencyMs * this.#retained(state);
    return ((latencyMs + 0.001) * (state.inFlight + 1)) / state.endpoint.weight;
  }

  /** Share of the average still standing now, in (0, 1]. */
  #retained({ latencyAt }: EndpointState): number {
    return Math.exp((latencyAt - this.#clock.now()) / DECAY_MS);
  }
}
