/**
 * Power of two choices over a peak-sensitive moving average of latency: cost is latency x (1 + in flight / weight). A
 * sample above the average replaces it at once, one below pulls it down with the time constant DECAY_MS.
 *
 * Sources: Mitzenmacher, IEEE TPDS 12(10), 2001; Finagle's Peak EWMA (one probe for an endpoint without history); a
 * newcomer is assumed to be as slow as the average of the others, so that it is not flooded (pitfalls L3).
 */

import type { Outcome } from "../call/attempt.js";
import type { EndpointState } from "../cluster/endpoint-state.js";
import type { Random } from "../runtime/random.js";
import type { Balancer } from "./balancer.js";
import { WeightedDraw } from "./weights.js";

/** Mean lifetime of a sample, in ms. */
const DECAY_MS = 10_000;
/** A failed attempt counts as at least this slow, in ms: failing fast must not look fast. */
const FAILURE_MS = 5_000;
/** Least latency in a cost, in ms, so that work in flight counts where nothing was measured yet. */
const LEAST_MS = 0.001;

export class PeakEwma implements Balancer {
  readonly #draw: WeightedDraw;
  #states: readonly EndpointState[] = [];
  /** Weights count relative to this: a hundred for everybody is one for everybody. */
  #meanWeight = 1;
  /** Plain average over recent answers of all endpoints, in ms: what a newcomer is taken for; -1 before the first. */
  #pooledMs = -1;

  constructor({ random }: { readonly random: Random }) {
    this.#draw = new WeightedDraw(random);
  }

  update(states: readonly EndpointState[]): void {
    this.#states = states;
    this.#draw.update(states);
    this.#meanWeight = states.reduce((sum, { endpoint }) => sum + endpoint.weight, 0) / states.length || 1;
  }

  pick(now: number): EndpointState | undefined {
    const states = this.#states;
    if (states.length < 2) return states[0];
    const i = this.#draw.next();
    const a = states[i]!; // both drawn in range
    const b = states[this.#draw.other(i)]!;
    return this.#cost(a, now) <= this.#cost(b, now) ? a : b;
  }

  /** An attempt that nobody waited for to the end proves one thing: its answer takes at least as long as that. */
  observe(state: EndpointState, latencyMs: number, outcome: Outcome, now: number): void {
    const keep = retained(state, now);
    const pastMs = Math.max(0, state.latencyMs) * keep;
    if (outcome === "neutral" && latencyMs <= pastMs) return;
    const sampleMs = outcome === "failure" ? Math.max(latencyMs, FAILURE_MS) : latencyMs;
    state.latencyMs = sampleMs > pastMs ? sampleMs : pastMs + sampleMs * (1 - keep);
    state.latencyAt = now;
    if (outcome !== "success") return;
    this.#pooledMs = this.#pooledMs < 0 ? sampleMs : this.#pooledMs + (sampleMs - this.#pooledMs) / 16;
  }

  #cost(state: EndpointState, now: number): number {
    const unknown = state.latencyMs < 0;
    if (unknown && state.inFlight === 0) return 0; // one probe, then wait for its answer
    const latencyMs = unknown ? this.#pooledMs : state.latencyMs * retained(state, now);
    return Math.max(latencyMs, LEAST_MS) * (1 + (state.inFlight * this.#meanWeight) / state.endpoint.weight);
  }
}

/** Share of the average still standing now, in (0, 1]. */
function retained({ latencyAt }: EndpointState, now: number): number {
  return Math.exp((latencyAt - now) / DECAY_MS);
}
