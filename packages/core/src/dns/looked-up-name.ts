/**
 * One name: its last good answer and when it is asked for again. See docs/design/2026-11-27-dns.md for the sources of
 * the figures.
 */

import { AsyncResource } from "node:async_hooks";
import { backoffMs } from "../runtime/backoff.js";
import type { Timer } from "../runtime/clock.js";
import { throwLater } from "../runtime/throw-later.js";
import type { NamesOptions } from "./names.js";
import type { NameAnswer } from "./resolver.js";

/** A TTL below this counts as this, in ms: Envoy's dns_min_refresh_rate. */
const MIN_REFRESH_MS = 5_000;
/** A TTL above this counts as this, in ms. A timer overruns at 24 days. */
const MAX_REFRESH_MS = 24 * 3_600_000;
/** After a failure the name is asked for again this soon, doubled for each in a row up to dnsRefreshRate. In ms. */
const RETRY_MS = 1_000;
/** A call that finds no address asks at once, unless the last lookup ended less than this ago. In ms. */
const ASKED_JUST_NOW_MS = 1_000;

/** Lookups and their timers are nobody's: made in a caller's async context they would keep alive what is in there. */
const NOBODYS = new AsyncResource("INMESH_NAME");

const NONE: readonly string[] = [];

export class LookedUpName {
  readonly text: string;
  /** Called after every lookup. */
  readonly listeners = new Set<() => void>();
  /** What the name stands for; empty before the first answer, and when it is known to have no address. */
  addresses: readonly string[] = NONE;
  /** The last answer that had an address, also after one that had none. */
  lastAddresses: readonly string[] = NONE;
  /** Why the last lookup failed. */
  error: unknown = undefined;
  /** A lookup is under way: whoever comes meanwhile waits for the same. */
  pending = false;
  readonly #options: NamesOptions;
  #failures = 0;
  /** Answers without an address in a row. */
  #empties = 0;
  #endedAt = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #closed = false;

  constructor(text: string, options: NamesOptions) {
    this.text = text;
    this.#options = options;
  }

  /** Somebody needs an address now and has none. @returns whether a lookup is under way */
  ask(): boolean {
    if (!this.pending && this.#options.clock.now() - this.#endedAt >= ASKED_JUST_NOW_MS) this.#lookUp();
    return this.pending;
  }

  /** Why it has no address, in words. */
  get complaint(): string {
    const { text, error } = this;
    if (error !== undefined)
      return `"${text}" could not be looked up: ${error instanceof Error ? error.message : error}`;
    return this.pending ? `"${text}" is still being looked up` : `"${text}" has no address in the DNS`;
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #lookUp(): void {
    this.#timer?.cancel();
    this.pending = true;
    NOBODYS.runInAsyncScope(() => void this.#ask());
  }

  async #ask(): Promise<void> {
    const { resolver } = this.#options;
    let refreshMs: number;
    try {
      refreshMs = this.#take(await resolver.resolve(this.text));
      this.error = undefined;
      this.#failures = 0;
    } catch (error) {
      this.error = error;
      this.#failures += 1;
      refreshMs = this.#backoffMs();
    }
    const { clock } = this.#options;
    this.pending = false;
    this.#endedAt = clock.now();
    if (this.#closed) return;
    this.#timer = clock.after(refreshMs, () => this.#lookUp());
    for (const listener of [...this.listeners]) {
      try {
        listener();
      } catch (error) {
        throwLater(clock, error); // the others want to know, too
      }
    }
  }

  /** @returns ms until the next lookup */
  #take({ addresses, ttlMs }: NameAnswer): number {
    if (addresses.length > 0) {
      this.#empties = 0;
      this.addresses = addresses;
      this.lastAddresses = addresses;
      if (!ttlMs) return this.#options.refreshMs(); // Envoy's way with a TTL of 0
      return Math.min(Math.max(ttlMs, MIN_REFRESH_MS), MAX_REFRESH_MS);
    }
    this.#empties += 1;
    // Differs: Envoy believes it at once. After addresses a name without any is more often a server's slip than a
    // service that is gone, so it must be said twice (pitfalls D6).
    if (this.#empties === 1 && this.addresses.length > 0) return MIN_REFRESH_MS;
    this.addresses = NONE;
    return this.#options.refreshMs();
  }

  #backoffMs(): number {
    const { random, refreshMs } = this.#options;
    return backoffMs({ baseMs: RETRY_MS, maxMs: Math.max(RETRY_MS, refreshMs()) }, this.#failures, random);
  }
}
