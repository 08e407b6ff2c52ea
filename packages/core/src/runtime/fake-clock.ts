/** A clock that moves when told. Timers fire in order of time, then of creation, inside `advance`. */

import type { Clock, Timer } from "./clock.js";

interface Entry {
  at: number;
  readonly order: number;
  readonly fn: () => void;
  readonly everyMs: number | undefined;
  readonly held: boolean;
  cancelled: boolean;
}

export class FakeClock implements Clock {
  #now = 0;
  #order = 0;
  #wallOffsetMs = Date.UTC(2026, 0, 1);
  /** A binary heap, first to fire first; cancelled entries are dropped when they come up. */
  readonly #heap: Entry[] = [];
  #pending = 0;
  #held = 0;
  /** Time has passed in which nothing was read. */
  #behind = false;
  /** What waits until it has been. */
  #afterReading: (() => void)[] = [];

  now(): number {
    return this.#now;
  }

  wallTime(): number {
    return this.#wallOffsetMs + this.#now;
  }

  after(ms: number, fn: () => void): Timer {
    return this.#add(ms, fn, undefined, false);
  }

  hold(ms: number, fn: () => void): Timer {
    return this.#add(ms, fn, undefined, true);
  }

  every(ms: number, fn: () => void): Timer {
    return this.#add(ms, fn, Math.max(ms, 0.001), false);
  }

  /** At once; after a stall once everything that is overdue has had its turn, and time goes on. */
  afterReading(fn: () => void): void {
    if (this.#behind) this.#afterReading.push(fn);
    else fn();
  }

  /** Timers still armed: zero at the end of a test that leaks none. */
  get pending(): number {
    return this.#pending;
  }

  /** Of these, waits that somebody awaits. */
  get held(): number {
    return this.#held;
  }

  /** When the next timer fires; Infinity where none is armed. */
  get nextAt(): number {
    return this.#next(Number.POSITIVE_INFINITY)?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Moves wall time alone, as an administrator or NTP does. */
  jumpWall(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  /** Time passes and no timer fires, as while the event loop is blocked; what is overdue fires with the next `advance`. */
  stall(ms: number): void {
    this.#now += ms;
    this.#behind = true;
  }

  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const next = this.#next(end);
      if (this.#behind && (next?.at ?? end) > this.#now) {
        this.#catchUp(); // what was overdue has had its turn
        continue;
      }
      if (next === undefined) break;
      this.#fire(next);
    }
    this.#now = Math.max(this.#now, end); // a timer may have stalled beyond it
  }

  /** Time passes until the next timer fires, and only that one does. Nothing happens where none is armed. */
  step(): void {
    const next = this.#next(Number.POSITIVE_INFINITY);
    if (this.#behind && (next === undefined || next.at > this.#now)) this.#catchUp();
    else if (next !== undefined) this.#fire(next);
  }

  /** As `advance`, but lets promises settle before each timer and after the last. */
  async advanceAsync(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.advance(Math.max(0, next.at - this.#now));
      await settle();
    }
    this.#now = Math.max(this.#now, end);
  }

  #catchUp(): void {
    this.#behind = false;
    const waiting = this.#afterReading;
    this.#afterReading = [];
    for (const fn of waiting) fn();
  }

  #fire(next: Entry): void {
    this.#now = Math.max(this.#now, next.at);
    if (next.everyMs === undefined) this.#cancel(next);
    else next.at = this.#now + next.everyMs; // missed turns are not made up for, as with setInterval
    this.#sink(0);
    next.fn();
  }

  #add(ms: number, fn: () => void, everyMs: number | undefined, held: boolean): Timer {
    const entry: Entry = { at: this.#now + Math.max(0, ms), order: this.#order++, fn, everyMs, held, cancelled: false };
    this.#pending += 1;
    if (held) this.#held += 1;
    const heap = this.#heap;
    let position = heap.length;
    while (position > 0) {
      const parent = (position - 1) >> 1;
      if (isBefore(heap[parent]!, entry)) break; // positions below the length are filled
      heap[position] = heap[parent]!;
      position = parent;
    }
    heap[position] = entry;
    return { cancel: () => this.#cancel(entry) };
  }

  #cancel(entry: Entry): void {
    if (entry.cancelled) return;
    entry.cancelled = true;
    this.#pending -= 1;
    if (entry.held) this.#held -= 1;
  }

  /** The first to fire, if that is by `end`. */
  #next(end: number): Entry | undefined {
    const heap = this.#heap;
    while (heap[0]?.cancelled) {
      const last = heap.pop()!; // not empty
      if (heap.length === 0) break;
      heap[0] = last;
      this.#sink(0);
    }
    const first = heap[0];
    return first !== undefined && first.at <= end ? first : undefined;
  }

  #sink(position: number): void {
    const heap = this.#heap;
    const moving = heap[position]!; // positions below the length are filled
    for (;;) {
      let child = 2 * position + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!isBefore(heap[child]!, moving)) break;
      heap[position] = heap[child]!;
      position = child;
    }
    heap[position] = moving;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Lets every promise that can settle now do so. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
}
