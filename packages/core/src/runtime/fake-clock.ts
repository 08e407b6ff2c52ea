/** A clock that moves when told. Timers fire in order of time, then of creation, inside `advance`. */

import type { Clock, Timer } from "./clock.js";

interface Entry {
  at: number;
  readonly order: number;
  readonly fn: () => void;
  readonly everyMs: number | undefined;
}

export class FakeClock implements Clock {
  #now = 0;
  #order = 0;
  #wallOffsetMs = Date.UTC(2026, 0, 1);
  readonly #entries = new Set<Entry>();

  now(): number {
    return this.#now;
  }

  wallTime(): number {
    return this.#wallOffsetMs + this.#now;
  }

  after(ms: number, fn: () => void): Timer {
    return this.#add(ms, fn, undefined);
  }

  hold(ms: number, fn: () => void): Timer {
    return this.after(ms, fn);
  }

  every(ms: number, fn: () => void): Timer {
    return this.#add(ms, fn, Math.max(ms, 0.001));
  }

  /** Timers still armed: zero at the end of a test that leaks none. */
  get pending(): number {
    return this.#entries.size;
  }

  /** Moves wall time alone, as an administrator or NTP does. */
  jumpWall(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  /** Time passes and no timer fires, as while the event loop is blocked; what is overdue fires with the next `advance`. */
  stall(ms: number): void {
    this.#now += ms;
  }

  advance(ms: number): void {
    const end = this.#now + ms;
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#now = Math.max(this.#now, next.at);
      if (next.everyMs === undefined) this.#entries.delete(next);
      else next.at = this.#now + next.everyMs; // missed turns are not made up for, as with setInterval
      next.fn();
    }
    this.#now = end;
  }

  /** As `advance`, but lets promises settle before each timer and after the last. */
  async advanceAsync(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.advance(Math.max(0, next.at - this.#now));
      await settle();
    }
    this.#now = end;
  }

  #add(ms: number, fn: () => void, everyMs: number | undefined): Timer {
    const entry: Entry = { at: this.#now + Math.max(0, ms), order: this.#order++, fn, everyMs };
    this.#entries.add(entry);
    return { cancel: () => void this.#entries.delete(entry) };
  }

  #next(end: number): Entry | undefined {
    let first: Entry | undefined;
    for (const entry of this.#entries) {
      if (entry.at > end) continue;
      if (first === undefined || entry.at < first.at || (entry.at === first.at && entry.order < first.order))
        first = entry;
    }
    return first;
  }
}

/** Lets every promise that can settle now do so. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
}
