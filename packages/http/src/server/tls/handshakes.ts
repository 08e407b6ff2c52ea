/**
 * Handshakes are admitted, not suffered: each takes 1 to 3 ms of the event loop, so when everybody reconnects at once those
 * who have a connection would wait for all who have none. In every turn of the loop some are begun, for as long as `turnMs`
 * allows: a shortened handshake takes less of it, so more of those fit. Their second halves come when their callers are
 * ready, and what bounds those is how many are under way.
 *
 * Where turns are long, since the process or its machine is busy, both bounds grow with them: 5 ms of each turn would be next to nothing
 * of the time then, callers would wait for longer than they have, and come again.
 */

import type { Clock, Timer } from "@inmesh/core";
import { setImmediate } from "@inmesh/core/internal";
import type { ServerTlsLimits } from "./limits.js";

/** Of the event loop's time, that handshakes may be begun in. With their second halves it stays well below all of it. */
const SHARE = 0.15;
/** How much of a long turn counts in the next: turns that somebody's going begins are short, and say nothing of the load. */
const MEMORY = 0.8;

/** A caller that wants to shake hands. */
export interface Applicant {
  begin(): void;
}

export class Handshakes {
  readonly #clock: Clock;
  readonly #limits: Pick<ServerTlsLimits, "handshakes" | "turnMs" | "placeMs">;
  /** In order of arrival. */
  readonly #waiting = new Set<Applicant>();
  /** Monotonic ms at which they began, oldest first. */
  readonly #places = new Map<Applicant, number>();
  #scheduled = false;
  #timer: Timer | undefined;
  #turnAt = 0;
  #scheduledAt = 0;
  /** A turn of the event loop of late, in ms. */
  #loopMs = 0;
  /** Of this turn, for beginning handshakes, in ms. */
  #allowedMs = 0;
  /** Of this turn: how many may be under way. */
  #mostPlaces = 0;

  constructor(clock: Clock, limits: Pick<ServerTlsLimits, "handshakes" | "turnMs" | "placeMs">) {
    this.#clock = clock;
    this.#limits = limits;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** That have a place. */
  get running(): number {
    return this.#places.size;
  }

  add(applicant: Applicant): void {
    this.#waiting.add(applicant);
    this.#schedule();
  }

  /** It is over, or given up. */
  remove(applicant: Applicant): void {
    const had = this.#places.delete(applicant);
    this.#waiting.delete(applicant);
    if (had && this.#waiting.size > 0) this.#schedule();
  }

  close(): void {
    this.#timer?.cancel();
    this.#waiting.clear();
    this.#places.clear();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#scheduledAt = this.#clock.now();
    setImmediate(this.#turn); // still in this turn of the loop, once everybody who is there has said the first byte
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    this.#turnAt = this.#clock.now();
    this.#loopMs = Math.max(this.#turnAt - this.#scheduledAt, this.#loopMs * MEMORY);
    const { turnMs, handshakes } = this.#limits;
    this.#allowedMs = Math.max(turnMs, this.#loopMs * SHARE);
    this.#mostPlaces = (handshakes * this.#allowedMs) / turnMs;
    this.#next();
  };

  readonly #next = (): void => {
    const [first] = this.#waiting;
    if (first === undefined) return;
    const now = this.#clock.now();
    if (now - this.#turnAt >= this.#allowedMs) return this.#schedule();
    if (this.#places.size >= this.#mostPlaces && !this.#takePlace(now)) return;
    this.#waiting.delete(first);
    this.#places.set(first, now);
    first.begin();
    process.nextTick(this.#next); // after the first half of it, which node:tls begins in the same way
  };

  /** Whoever lets a place lie idle loses it: else a few silent callers would keep everybody out. */
  #takePlace(now: number): boolean {
    for (const [applicant, since] of this.#places) {
      const leftMs = this.#limits.placeMs - (now - since);
      if (leftMs <= 0) {
        this.#places.delete(applicant);
        return true;
      }
      this.#timer ??= this.#clock.after(leftMs, () => {
        this.#timer = undefined;
        this.#schedule();
      });
      return false;
    }
    return true;
  }
}
