/** How many requests came, and what became of them. */

import type { InboundStats } from "@inmesh/core/admin";
import { Histogram } from "@inmesh/core/internal";

export class InboundCounts {
  /** By limits. */
  refused = 0;
  /** By identity or access control. */
  denied = 0;
  /** Whose deadline had passed when they came. */
  expired = 0;
  /** Whose `traceparent` nobody can read. */
  malformedTraces = 0;
  readonly #latency = new Histogram();
  #requests = 0;
  /** Of those before the last reset. */
  #before = 0;
  #failures = 0;

  get arrived(): number {
    return this.#before + this.#requests;
  }

  begin(): void {
    this.#requests += 1;
  }

  /** It did arrive, and is none of the application's. */
  uncount(): void {
    this.#requests -= 1;
    this.#before += 1;
  }

  /** That the application answered. @param ms from its beginning */
  served(status: number, ms: number): void {
    this.#latency.record(ms);
    if (status >= 500) this.#failures += 1;
  }

  /** From zero; `arrived`, by which the end is judged, goes on. */
  reset(): void {
    this.#before += this.#requests;
    this.#requests = 0;
    this.#failures = 0;
    this.refused = 0;
    this.denied = 0;
    this.expired = 0;
    this.#latency.reset();
  }

  read(inFlight: number): InboundStats {
    return {
      requests: this.#requests,
      failures: this.#failures,
      refused: this.refused,
      denied: this.denied,
      expired: this.expired,
      inFlight,
      p50Ms: this.#latency.quantile(0.5),
      p95Ms: this.#latency.quantile(0.95),
      p99Ms: this.#latency.quantile(0.99),
    };
  }
}
