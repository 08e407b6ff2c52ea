/**
 * How late an event loop comes. A machine that does other things makes every loop late, so it is told apart how much of it
 * the process has itself worked meanwhile: that is what its connections cost each other.
 */

import type { Lateness } from "../messages.js";

/** Between two looks, in ms. */
const EVERY_MS = 10;

export class LatenessWatch {
  readonly #timer: NodeJS.Timeout;
  #late: number[] = [];
  #own: number[] = [];
  #at = performance.now();
  #cpuMs = cpuMs();

  constructor() {
    this.#timer = setInterval(() => this.#look(), EVERY_MS).unref();
  }

  /** Of the time since it was asked last. */
  take(): Lateness {
    const [late, own] = [this.#late, this.#own];
    const found = {
      ...{ p99Ms: p99(late), maxMs: Math.max(0, ...late) },
      ...{ ownP99Ms: p99(own), ownMaxMs: Math.max(0, ...own) },
    };
    this.#late = [];
    this.#own = [];
    return found;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const [now, cpu] = [performance.now(), cpuMs()];
    const late = Math.max(0, now - this.#at - EVERY_MS);
    this.#late.push(late);
    this.#own.push(Math.min(late, cpu - this.#cpuMs));
    [this.#at, this.#cpuMs] = [now, cpu];
  }
}

function p99(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.floor(0.99 * sorted.length)] ?? 0;
}

/** Of all threads: of a process that serves, nearly all of it is its loop's. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
