/**
 * Turns requests away while the process has more to do than it can do well: by requests being served at a time, against a
 * fixed limit or one that is found from latencies, and by the delay of the event loop. docs/reference/resilience.md.
 */

import { type AdmissionPolicy, type Priority, resourceKey } from "@inmesh/model";
import type { Clock } from "../runtime/clock.js";
import { LoopDelay } from "../runtime/loop-delay.js";
import type { Random } from "../runtime/random.js";
import { GradientLimit } from "./gradient-limit.js";
import { SHARES } from "./priority.js";

export type OverloadReason = "maxConcurrency" | "adaptiveConcurrency" | "maxEventLoopDelay";

export interface Overload {
  readonly reason: OverloadReason;
  /** What was found and what is allowed, in words. */
  readonly text: string;
}

export interface AdmissionReading {
  /** Of the Resilience that says so. */
  readonly resource: string;
  /** Requests being served. */
  readonly inFlight: number;
  /** 0: no fixed limit. */
  readonly maxConcurrency: number;
  /** Found from latencies; null where that is not asked for. */
  readonly adaptiveLimit: number | null;
  /** What answers take when nothing waits, in ms, as far as it is known. */
  readonly baselineMs: number | null;
  /** Of the event loop, now, in ms; null where nobody asks for it. */
  readonly loopDelayMs: number | null;
  readonly maxLoopDelayMs: number;
  readonly admitted: number;
  /** By priority, and by what there was too much of. */
  readonly refused: Readonly<Record<Priority, number>>;
  readonly reasons: Readonly<Record<OverloadReason, number>>;
}

export interface AdmissionOptions {
  readonly clock: Clock;
  readonly random: Random;
}

export class Admission {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #loopDelay: LoopDelay;
  #policy: AdmissionPolicy | undefined;
  #adaptive: GradientLimit | undefined;
  #inFlight = 0;
  #admitted = 0;
  readonly #refused: Record<Priority, number> = { critical: 0, default: 0, sheddable: 0 };
  readonly #reasons: Record<OverloadReason, number> = {
    maxConcurrency: 0,
    adaptiveConcurrency: 0,
    maxEventLoopDelay: 0,
  };

  constructor({ clock, random }: AdmissionOptions) {
    this.#clock = clock;
    this.#random = random;
    this.#loopDelay = new LoopDelay(clock);
  }

  get policy(): AdmissionPolicy | undefined {
    return this.#policy;
  }

  /** What was counted and learned stays, for as long as it is asked for. */
  update(policy: AdmissionPolicy | undefined): void {
    this.#policy = policy;
    const bounds = policy?.adaptive;
    if (bounds === undefined) this.#adaptive = undefined;
    else if (this.#adaptive === undefined) {
      this.#adaptive = new GradientLimit(bounds, this.#clock.now(), this.#random);
    } else this.#adaptive.bounds = bounds;
    if ((policy?.maxLoopDelayMs ?? 0) > 0) this.#loopDelay.start();
    else this.#loopDelay.stop();
  }

  /** @returns undefined: it is let in, and `begin` must follow */
  overload(priority: Priority, now: number): Overload | undefined {
    const found = this.#overload(SHARES[priority], now);
    if (found !== undefined) {
      this.#refused[priority] += 1;
      this.#reasons[found.reason] += 1;
    }
    return found;
  }

  /** A request is let in. @returns for `end` */
  begin(): number {
    this.#inFlight += 1;
    this.#admitted += 1;
    return this.#adaptive?.begin(this.#inFlight) ?? 0;
  }

  /** @param latencyMs of an answer that says how quick the process is; undefined for any other end */
  end(epoch: number, latencyMs: number | undefined, now: number): void {
    this.#inFlight -= 1;
    if (latencyMs !== undefined) this.#adaptive?.sample(latencyMs, epoch, now);
  }

  /** Answers slower than this say that there is a queue even when they are failures, in ms. */
  get baselineMs(): number {
    return this.#adaptive?.baselineMs ?? Number.POSITIVE_INFINITY;
  }

  close(): void {
    this.#loopDelay.stop();
  }

  read(now: number): AdmissionReading | undefined {
    const policy = this.#policy;
    if (policy === undefined) return undefined;
    const adaptive = this.#adaptive;
    return {
      resource: resourceKey(policy.resource.resource),
      inFlight: this.#inFlight,
      maxConcurrency: policy.maxConcurrency,
      adaptiveLimit: adaptive === undefined ? null : Math.floor(adaptive.limit),
      baselineMs: adaptive?.baselineMs ?? null,
      loopDelayMs: this.#loopDelay.running ? this.#loopDelay.read(now) : null,
      maxLoopDelayMs: policy.maxLoopDelayMs,
      admitted: this.#admitted,
      refused: { ...this.#refused },
      reasons: { ...this.#reasons },
    };
  }

  #overload(share: number, now: number): Overload | undefined {
    const { maxConcurrency = 0, maxLoopDelayMs = 0 } = this.#policy ?? {};
    const inFlight = this.#inFlight;
    if (maxLoopDelayMs > 0) {
      const delayMs = this.#loopDelay.read(now);
      if (delayMs > maxLoopDelayMs * share) {
        const text = `the event loop is ${Math.round(delayMs)} ms late and maxEventLoopDelay is ${maxLoopDelayMs} ms`;
        return { reason: "maxEventLoopDelay", text };
      }
    }
    if (maxConcurrency > 0 && inFlight >= maxConcurrency * share) {
      const text = `requests being served: ${inFlight}, maxConcurrency: ${maxConcurrency}`;
      return { reason: "maxConcurrency", text };
    }
    const adaptive = this.#adaptive;
    if (adaptive !== undefined && inFlight >= Math.floor(adaptive.limit) * share) {
      adaptive.turnedAway(now);
      const text = `requests being served: ${inFlight}, limit that adaptiveConcurrency has found: ${Math.floor(adaptive.limit)}`;
      return { reason: "adaptiveConcurrency", text };
    }
    return undefined;
  }
}
