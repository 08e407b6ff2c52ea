/**
 * Prequal's rule (Wydrowski et al., "Load is not what you should balance", NSDI 2024): of the endpoints drawn, those with
 * more requests in flight than most are hot; among the others the one that is expected to answer soonest is taken, and the
 * one with the fewest in flight where all are hot.
 *
 * Differs: Prequal sends probes for its signals; here answers bring them, and requests in flight are this process's own
 * (docs/design/2026-11-27-balancing.md). Nothing is sent in vain, and an endpoint that is not called is not heard of: what is
 * known of it fades, so that it is tried again.
 */

import type { Outcome } from "../call/attempt.js";
import type { EndpointState } from "../cluster/endpoint-state.js";
import type { Random } from "../runtime/random.js";
import type { Balancer } from "./balancer.js";
import { WeightedDraw } from "./weights.js";

/** Drawn for each pick; the paper's pool has 16 probes. Two are worse, more than five hardly better (`npm run bench -- balance`). */
const CHOICES = 5;
/** Of unequal weights: draws follow them, and more of them would mostly be the heaviest again. */
const WEIGHTED_CHOICES = 2;
/** Hot: in the upper sixth of what was in flight lately, 2 ^ -0.25, the paper's choice. */
const HOT_QUANTILE = 0.84;
/** Samples of requests in flight that the quantile is of; the oldest is replaced. */
const SAMPLES = 64;
/** The quantile is worked out anew after so many. */
const REFRESH = 16;
/** Weight of a new sample in an endpoint's averages. */
const GAIN = 0.2;
/** Mean lifetime of what is known of an endpoint, in ms. */
const FADE_MS = 10_000;
/** An endpoint whose every attempt fails counts as if so many more were in flight: failing fast must not look idle. */
const FAILURE_LOAD = 100;

/** Least time in an expectation, in ms, so that work in flight counts where nothing was measured yet. */
const LEAST_MS = 0.001;

/** What is known of one endpoint. */
class Signals {
  /** Moving average of its answers, in ms; -1 before the first answer. */
  averageMs = -1;
  at = 0;
  /** Moving share of the attempts that failed, 0–1. */
  failing = 0;
}

export class Prequal implements Balancer {
  readonly #draw: WeightedDraw;
  #states: readonly EndpointState[] = [];
  #choices = CHOICES;
  /** Weights count relative to this: a hundred for everybody is one for everybody. */
  #meanWeight = 1;
  #signals: readonly Signals[] = [];
  #indexOf = new Map<EndpointState, number>();
  readonly #samples = new Float64Array(SAMPLES);
  #sampled = 0;
  #hotFrom = Number.POSITIVE_INFINITY;
  /** Average of all endpoints, in ms: what a newcomer is taken for; -1 before the first answer. */
  #pooledMs = -1;

  constructor({ random }: { readonly random: Random }) {
    this.#draw = new WeightedDraw(random);
  }

  update(states: readonly EndpointState[]): void {
    const before = this.#indexOf;
    const known = this.#signals;
    this.#states = states;
    this.#draw.update(states);
    this.#meanWeight = states.reduce((sum, { endpoint }) => sum + endpoint.weight, 0) / states.length || 1;
    this.#choices = states.every(({ endpoint }) => endpoint.weight === this.#meanWeight) ? CHOICES : WEIGHTED_CHOICES;
    this.#signals = states.map((state) => known[before.get(state) ?? -1] ?? new Signals());
    this.#indexOf = new Map(states.map((state, index) => [state, index]));
  }

  pick(now: number): EndpointState | undefined {
    const states = this.#states;
    if (states.length < 2) return states[0];
    let best = this.#draw.next();
    let bestLoad = this.#loadOf(best, now);
    let bestMs = this.#expectedMs(best, bestLoad, now);
    for (let draw = 1; draw < this.#choices; draw++) {
      const index = this.#draw.other(best);
      const load = this.#loadOf(index, now);
      const ms = this.#expectedMs(index, load, now);
      const hot = load >= this.#hotFrom;
      const bestHot = bestLoad >= this.#hotFrom;
      if (hot !== bestHot ? bestHot : hot ? load < bestLoad : ms < bestMs) {
        best = index;
        bestLoad = load;
        bestMs = ms;
      }
    }
    return states[best];
  }

  observe(state: EndpointState, latencyMs: number, outcome: Outcome, now: number): void {
    const index = this.#indexOf.get(state);
    if (index === undefined || outcome === "neutral") return;
    const signals = this.#signals[index]!; // one each
    const load = this.#inFlight(state);
    this.#sample(load);
    signals.failing = signals.failing * fading(signals, now) * (1 - GAIN) + (outcome === "failure" ? GAIN : 0);
    signals.at = now;
    if (outcome === "failure") return;
    signals.averageMs = signals.averageMs < 0 ? latencyMs : signals.averageMs + (latencyMs - signals.averageMs) * GAIN;
    state.latencyMs = signals.averageMs; // for display
    this.#pooledMs = this.#pooledMs < 0 ? latencyMs : this.#pooledMs + (latencyMs - this.#pooledMs) / SAMPLES;
  }

  /** Per unit of weight. */
  #inFlight({ inFlight, endpoint: { weight } }: EndpointState): number {
    return weight === 0 ? inFlight : (inFlight * this.#meanWeight) / weight;
  }

  /** Requests in flight there, and what failures count for. */
  #loadOf(index: number, now: number): number {
    const signals = this.#signals[index]!; // drawn in range
    const failures = signals.failing === 0 ? 0 : signals.failing * fading(signals, now) * FAILURE_LOAD;
    return this.#inFlight(this.#states[index]!) + failures; // likewise
  }

  #expectedMs(index: number, load: number, now: number): number {
    const signals = this.#signals[index]!; // drawn in range
    const pooledMs = this.#pooledMs;
    const { averageMs } = signals;
    const knownMs = averageMs < 0 ? pooledMs : pooledMs + (averageMs - pooledMs) * fading(signals, now);
    return Math.max(knownMs, LEAST_MS) * (1 + load);
  }

  #sample(load: number): void {
    this.#samples[this.#sampled++ % SAMPLES] = load;
    if (this.#sampled % REFRESH !== 0 || this.#sampled < SAMPLES) return;
    const sorted = this.#samples.slice().sort();
    this.#hotFrom = Math.max(1, sorted[Math.floor(HOT_QUANTILE * SAMPLES)]! + Number.EPSILON); // within the samples
  }
}

/** Share of what is known of it that still holds, in (0, 1]. */
function fading({ at }: Signals, now: number): number {
  return Math.exp((at - now) / FADE_MS);
}
