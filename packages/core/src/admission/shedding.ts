/** Says when a server begins to turn requests away and when it has stopped, once each: a log must not grow with the load. */

import type { Clock, Timer } from "../runtime/clock.js";

/** Nobody turned away for so long: it has stopped, in ms. */
const CALM_MS = 5_000;

interface Spell {
  readonly startedAt: number;
  lastAt: number;
  count: number;
}

export class Shedding {
  readonly #clock: Clock;
  readonly #say: (message: string) => void;
  /** By what turns them away. */
  readonly #spells = new Map<string, Spell>();
  #timer: Timer | undefined;

  constructor(clock: Clock, say: (message: string) => void) {
    this.#clock = clock;
    this.#say = say;
  }

  /** @param by in words, few of them: `rate limit shop/web/by-source` */
  turnedAway(by: string, why: string, now: number): void {
    const spell = this.#spells.get(by);
    if (spell !== undefined) {
      spell.lastAt = now;
      spell.count += 1;
      return;
    }
    this.#spells.set(by, { startedAt: now, lastAt: now, count: 1 });
    this.#say(`${by} turns requests away: ${why}`);
    this.#timer ??= this.#clock.after(CALM_MS, () => this.#look());
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #look(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    let soonest = Number.POSITIVE_INFINITY;
    for (const [by, { startedAt, lastAt, count }] of this.#spells) {
      const leftMs = lastAt + CALM_MS - now;
      if (leftMs > 0) soonest = Math.min(soonest, leftMs);
      else {
        this.#spells.delete(by);
        const seconds = Math.max(1, Math.ceil((lastAt - startedAt) / 1_000));
        this.#say(`${by} turns no more requests away: it was ${count} in ${seconds} s`);
      }
    }
    if (soonest !== Number.POSITIVE_INFINITY) this.#timer = this.#clock.after(soonest, () => this.#look());
  }
}
