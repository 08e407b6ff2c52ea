/**
 * Lines on their way to a sink: collected, written in chunks outside of the requests that they tell of, at most so many at
 * a time. What a sink does not take in time is dropped and counted; a request never waits and memory does not grow.
 */

import type { Clock, Timer } from "@inmesh/core";
import type { LineSink } from "./line-sink.js";

/** In UTF-16 units, which is bytes for almost all lines. */
const FLUSH_AT = 64 * 1_024;
const BOUND = 1_024 * 1_024;
const INTERVAL_MS = 1_000;
/** After a fault, doubled with each further one. */
const PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 30_000;
/** Between two words about dropped lines. */
const QUIET_MS = 10_000;

export interface LineWriterOptions {
  readonly sink: LineSink;
  readonly clock: Clock;
  /** A sink is out of order, or in order again: a line of a log. */
  readonly onNotice: (message: string) => void;
  /** @default 1 MiB */
  readonly bound?: number;
}

export class LineWriter {
  /** Lines that nobody will read. */
  dropped = 0;
  written = 0;
  readonly #sink: LineSink;
  readonly #clock: Clock;
  readonly #onNotice: (message: string) => void;
  readonly #bound: number;
  #pending = "";
  #lines = 0;
  #timer: Timer | undefined;
  #hastened = false;
  #writing: Promise<void> | undefined;
  #dead = false;
  #faults = 0;
  #pausedUntil = 0;
  #quietUntil = 0;
  /** `dropped` when it was last told. */
  #told = 0;

  constructor({ sink, clock, onNotice, bound = BOUND }: LineWriterOptions) {
    this.#sink = sink;
    this.#clock = clock;
    this.#onNotice = onNotice;
    this.#bound = bound;
  }

  get name(): string {
    return this.#sink.name;
  }

  /** @param line with its end */
  write(line: string): void {
    if (this.#dead || this.#pending.length + line.length > this.#bound) {
      this.dropped++;
      return;
    }
    this.#pending += line;
    this.#lines++;
    if (this.#writing !== undefined) return;
    if (this.#timer === undefined) this.#schedule(INTERVAL_MS);
    else if (!this.#hastened && this.#pending.length >= FLUSH_AT && this.#faults === 0) this.#schedule(0);
  }

  /** Resolves when what was written until now is out, or after `timeoutMs`. */
  async flush(timeoutMs: number): Promise<void> {
    const { promise, resolve } = withResolver();
    const timer = this.#clock.hold(timeoutMs, resolve);
    await Promise.race([this.#drain(), promise]);
    timer.cancel();
  }

  /** The process exits. */
  writeNow(): void {
    const chunk = this.#take();
    if (chunk !== "") this.#sink.writeNow(chunk);
  }

  async close(timeoutMs: number): Promise<void> {
    await this.flush(timeoutMs);
    this.#timer?.cancel();
    this.#dead = true;
    this.#pending = "";
    await this.#sink.close();
  }

  #schedule(ms: number): void {
    this.#timer?.cancel();
    this.#hastened = ms === 0;
    const wait = Math.max(ms, this.#pausedUntil - this.#clock.now());
    this.#timer = this.#clock.after(wait, () => void this.#drain());
  }

  async #drain(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#hastened = false;
    while (this.#writing !== undefined) await this.#writing;
    const lines = this.#lines;
    const chunk = this.#take();
    if (chunk === "" || this.#dead) return;
    this.#writing = this.#write(chunk, lines);
    await this.#writing;
  }

  async #write(chunk: string, lines: number): Promise<void> {
    const fault = await this.#sink.write(chunk);
    this.#writing = undefined;
    const lost = fault?.lost ?? 0;
    this.written += lines - lost;
    this.dropped += lost;
    if (fault === undefined) this.#recovered();
    else {
      if (this.#faults++ === 0) {
        const then = fault.dead
          ? "it is not written there any more"
          : "lines are dropped until it can be written again";
        this.#onNotice(`access log ${this.name}: ${fault.message}; ${then}, requests go on`);
      }
      this.#dead = fault.dead;
      this.#pausedUntil = this.#clock.now() + Math.min(MAX_PAUSE_MS, PAUSE_MS * 2 ** Math.min(this.#faults - 1, 5));
    }
    if (this.#pending !== "" && this.#timer === undefined) {
      this.#schedule(this.#pending.length >= FLUSH_AT ? 0 : INTERVAL_MS);
    }
  }

  #recovered(): void {
    const lost = this.dropped - this.#told;
    this.#faults = 0;
    this.#pausedUntil = 0;
    if (lost > 0 && this.#clock.now() >= this.#quietUntil) {
      this.#quietUntil = this.#clock.now() + QUIET_MS;
      this.#told = this.dropped;
      this.#onNotice(`access log ${this.name}: ${lost} lines were dropped because they were not taken in time`);
    }
  }

  #take(): string {
    const chunk = this.#pending;
    this.#pending = "";
    this.#lines = 0;
    return chunk;
  }
}

function withResolver(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
