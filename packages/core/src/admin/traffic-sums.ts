/** What happened between two readings of counters, added up over processes. */

import { quantileOfCells } from "../stats/histogram.js";
import type { OutboundStats } from "./views.js";

/** Calls of one kind over an interval. */
export interface Traffic {
  readonly calls: number;
  readonly successes: number;
  readonly failures: number;
  readonly retries: number;
  readonly inFlight: number;
  readonly rps: number;
  /** Share of the calls that ended, 0–1; null without calls. */
  readonly successRatio: number | null;
  /** Retries per call; null without calls. */
  readonly retryRatio: number | null;
  /** Null without calls. */
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
}

/** Whether the connections used in an interval were encrypted; null where none was used, or nobody says. */
export type Secured = "yes" | "partly" | "no" | null;

export class TrafficSums {
  #calls = 0;
  #successes = 0;
  #failures = 0;
  #retries = 0;
  #inFlight = 0;
  #rps = 0;
  readonly #cells: number[] = [];

  /** A counter that fell belongs to a process that took the place of another: it counts from zero. */
  add(before: OutboundStats | undefined, { stats, cells }: OutboundStats, seconds: number): void {
    const restarted = before !== undefined && before.stats.calls > stats.calls;
    const base = restarted ? undefined : before;
    const calls = stats.calls - (base?.stats.calls ?? 0);
    this.#calls += calls;
    this.#successes += stats.successes - (base?.stats.successes ?? 0);
    this.#failures += stats.failures - (base?.stats.failures ?? 0);
    this.#retries += stats.retries - (base?.stats.retries ?? 0);
    this.#inFlight += stats.inFlight;
    this.#rps += calls / seconds;
    cells.forEach((cell, at) => {
      this.#cells[at] = (this.#cells[at] ?? 0) + cell - (base?.cells[at] ?? 0);
    });
  }

  read(): Traffic {
    const calls = this.#calls;
    const ended = this.#successes + this.#failures;
    const quantile = (q: number): number | null => (calls === 0 ? null : quantileOfCells(this.#cells, q));
    return {
      ...{ calls, successes: this.#successes, failures: this.#failures, retries: this.#retries },
      ...{ inFlight: this.#inFlight, rps: this.#rps },
      successRatio: ended === 0 ? null : this.#successes / ended,
      retryRatio: calls === 0 ? null : this.#retries / calls,
      ...{ p50Ms: quantile(0.5), p95Ms: quantile(0.95), p99Ms: quantile(0.99) },
    };
  }
}

/** Attempts in encrypted connections and in plaintext, and why the latter. */
export class SecuritySums {
  #encrypted = 0;
  #plaintext = 0;
  readonly #reasons = new Set<string>();

  add(before: OutboundStats | undefined, { endpoints }: OutboundStats): void {
    const known = new Map(before?.endpoints.map(({ id, attempts }) => [id, attempts]));
    for (const { id, attempts, plaintext } of endpoints) {
      const made = since(known.get(id), attempts);
      if (made === 0 || plaintext === undefined) continue;
      if (plaintext === "") this.#encrypted += made;
      else {
        this.#plaintext += made;
        this.#reasons.add(plaintext);
      }
    }
  }

  get secured(): Secured {
    if (this.#encrypted + this.#plaintext === 0) return null;
    return this.#plaintext === 0 ? "yes" : this.#encrypted === 0 ? "no" : "partly";
  }

  get reasons(): readonly string[] {
    return [...this.#reasons];
  }
}

/** @param before undefined: there was none */
export function since(before: number | undefined, now: number): number {
  return before === undefined || now < before ? now : now - before;
}
