/**
 * Finds how many requests at a time a server serves well, from its latencies. Every window of at least 100 ms and 20 answers:
 *
 *     gradient = 1.5 * baseline / median of the window, between 0.5 and 1
 *     limit    = limit * gradient + sqrt(limit)
 *
 * The root is headroom: what the limit grows by while latencies are good, and the queue that is allowed. `baseline` is what
 * answers take when nothing waits. While nobody is turned away it follows the medians slowly; while somebody is, the medians
 * say how long the queue is and nothing else, so it is measured: for a moment only `minConcurrency` requests are let in.
 *
 * Sources: Envoy's adaptive concurrency filter (gradient, headroom, measuring at a minimum); Netflix concurrency-limits,
 * Gradient2 (tolerance 1.5, no growth that nobody uses); BBR (measure only while it cannot be seen otherwise).
 * Differs from Envoy: it measures every minute and turns requests away for that even when there was no need.
 */

import type { Random } from "../runtime/random.js";

/** A window ends after both. */
const WINDOW_MS = 100;
const WINDOW_SAMPLES = 20;
/** Samples kept of a window; the later ones take the place of earlier ones. */
const MOST_SAMPLES = 256;
const TOLERANCE = 1.5;
const SMALLEST_GRADIENT = 0.5;
/** Of the process's start, where the bounds allow: Netflix's. */
const FIRST_LIMIT = 20;
/** The baseline follows with this time constant, in ms. */
const FOLLOW_MS = 10_000;
/** Measured after so long of turning requests away, then half as often each time, in ms. Other processes must not do it at the same moment. */
const FIRST_MEASURE_MS = 1_000;
const RAREST_MEASURE_MS = 16_000;
const JITTER = 0.5;
/** Nobody turned away for so long: the next trouble is a new one, in ms. */
const CALM_MS = 5_000;
/** A measurement ends with so many answers, or after the time with at least a few, or without any after five times that. */
const MEASURE_SAMPLES = 20;
const FEWEST_SAMPLES = 5;
const MEASURE_MS = 1_000;
const LONGEST_MEASURE_MS = 5_000;

export interface ConcurrencyBounds {
  readonly minConcurrency: number;
  readonly maxConcurrency: number;
}

export class GradientLimit {
  readonly #random: Random;
  #bounds: ConcurrencyBounds;
  #limit: number;
  /** Before anybody was turned away. */
  #calmLimit: number;
  #baselineMs: number | undefined;
  readonly #samples = new Float64Array(MOST_SAMPLES);
  #count = 0;
  #windowAt: number;
  /** Most requests at a time, and whether somebody was turned away, in this window. */
  #peak = 0;
  #pressed = false;
  #pressedAt = Number.NEGATIVE_INFINITY;
  /** When to measure next; undefined while nobody is turned away. */
  #measureAt: number | undefined;
  #measureEveryMs = FIRST_MEASURE_MS;
  /** Odd while measuring: only requests begun since then count. */
  #epoch = 0;
  #epochAt = 0;

  constructor(bounds: ConcurrencyBounds, now: number, random: Random) {
    this.#random = random;
    this.#bounds = bounds;
    this.#limit = this.#within(FIRST_LIMIT);
    this.#calmLimit = this.#limit;
    this.#windowAt = now;
  }

  set bounds(bounds: ConcurrencyBounds) {
    this.#bounds = bounds;
    this.#limit = this.#within(this.#limit);
  }

  /** Requests at a time, with fractions. */
  get limit(): number {
    return this.measuring ? Math.min(this.#bounds.minConcurrency, this.#limit) : this.#limit;
  }

  get measuring(): boolean {
    return this.#epoch % 2 === 1;
  }

  /** In ms; undefined before the first window. */
  get baselineMs(): number | undefined {
    return this.#baselineMs;
  }

  /** A request begins. @returns to be given back with its sample */
  begin(inFlight: number): number {
    if (inFlight > this.#peak) this.#peak = inFlight;
    return this.#epoch;
  }

  /** A request was turned away because of this limit. */
  turnedAway(now: number): void {
    this.#pressed = true;
    this.#pressedAt = now;
    if (this.measuring && now - this.#epochAt >= LONGEST_MEASURE_MS) this.#endMeasuring(now);
  }

  /** A request was answered well. */
  sample(latencyMs: number, epoch: number, now: number): void {
    if (epoch !== this.#epoch) return;
    this.#samples[this.#count++ % MOST_SAMPLES] = latencyMs;
    if (this.measuring) {
      const enough = this.#count >= MEASURE_SAMPLES;
      if (enough || (this.#count >= FEWEST_SAMPLES && now - this.#epochAt >= MEASURE_MS)) this.#endMeasuring(now);
    } else if (this.#count >= WINDOW_SAMPLES && now - this.#windowAt >= WINDOW_MS) this.#endWindow(now);
  }

  #endWindow(now: number): void {
    const median = this.#median();
    if (this.#baselineMs === undefined) this.#baselineMs = median;
    else if (!this.#pressed) {
      this.#baselineMs += (median - this.#baselineMs) * (1 - Math.exp((this.#windowAt - now) / FOLLOW_MS));
    }
    const gradient = Math.min(1, Math.max(SMALLEST_GRADIENT, (TOLERANCE * this.#baselineMs) / median));
    // Growth that nobody has asked for would say nothing, and would have to be taken back when it is asked for.
    if (gradient < 1 || this.#peak * 2 >= this.#limit) {
      this.#limit = this.#within(this.#limit * gradient + Math.sqrt(this.#limit));
    }
    if (gradient === 1 && now - this.#pressedAt > CALM_MS) this.#calmLimit = this.#limit;
    this.#planMeasuring(now);
    this.#beginWindow(now);
  }

  #planMeasuring(now: number): void {
    if (now - this.#pressedAt > CALM_MS) {
      this.#measureAt = undefined;
      this.#measureEveryMs = FIRST_MEASURE_MS;
    } else if (this.#measureAt === undefined) this.#measureAt = now + this.#jittered(this.#measureEveryMs);
    else if (now >= this.#measureAt && this.#pressed) {
      this.#epoch += 1;
      this.#epochAt = now;
    }
  }

  #endMeasuring(now: number): void {
    if (this.#count > 0) this.#measured(this.#median());
    this.#epoch += 1;
    this.#measureEveryMs = Math.min(RAREST_MEASURE_MS, this.#measureEveryMs * 2);
    this.#measureAt = now + this.#jittered(this.#measureEveryMs);
    this.#beginWindow(now);
  }

  /** Slower without a queue: there was none before, and the limit was taken down for nothing. */
  #measured(median: number): void {
    const slower = median / (this.#baselineMs ?? median);
    this.#baselineMs = median;
    if (slower < TOLERANCE) return;
    this.#calmLimit *= slower; // as many per second are so many more at a time
    this.#limit = this.#within(Math.max(this.#limit, this.#calmLimit));
  }

  #beginWindow(now: number): void {
    this.#windowAt = now;
    this.#count = 0;
    this.#peak = 0;
    this.#pressed = false;
  }

  #median(): number {
    const sorted = this.#samples.slice(0, Math.min(this.#count, MOST_SAMPLES)).sort();
    return sorted[sorted.length >> 1]!; // never called without a sample
  }

  #jittered(ms: number): number {
    return ms * (1 + JITTER * this.#random.next());
  }

  #within(limit: number): number {
    return Math.min(this.#bounds.maxConcurrency, Math.max(this.#bounds.minConcurrency, limit));
  }
}
