/**
 * Works answers through one after another, in turns of the event loop that are short: a thousand clusters at once must not
 * hold up the calls of this process.
 */

import type { Clock } from "@inmesh/core";

export interface AnswerWork {
  /** Nobody waits for it any more: what it read is not taken. */
  readonly cancelled: boolean;
  readonly done: boolean;
  /** A small piece of the work. Never throws. */
  step(): void;
  /** All pieces are done. Never throws. */
  finish(): void;
}

export interface AnswerQueueOptions {
  readonly clock: Clock;
  /** Calls back when the event loop has done what else it had to do. */
  readonly laterTurn: (fn: () => void) => void;
}

/** Of one turn, in ms: with what the stream does before it and whoever hears of it afterwards, a turn stays under 10. */
const TURN_MS = 5;

export class AnswerQueue {
  readonly #options: AnswerQueueOptions;
  readonly #waiting: AnswerWork[] = [];
  #working = false;
  /** Of this turn of the event loop, in ms: answers that are done. */
  #spentMs = 0;

  constructor(options: AnswerQueueOptions) {
    this.#options = options;
  }

  /** @param since when this turn of the event loop began to be spent on it, in ms: opening an answer counts too */
  add(work: AnswerWork, since: number): void {
    this.#waiting.push(work);
    if (this.#working) return;
    this.#working = true;
    // What is told resumes the stream, which has the next answer at once.
    this.#turn(since - this.#spentMs);
  }

  #turn(since: number): void {
    const { clock, laterTurn } = this.#options;
    const until = since + TURN_MS;
    const later = () => laterTurn(() => this.#turn(clock.now()));
    for (let work = this.#waiting[0]; work !== undefined; work = this.#waiting[0]) {
      while (!work.cancelled && !work.done) {
        if (clock.now() >= until) return later();
        work.step();
      }
      // Whoever hears of it makes a snapshot of it: that has the time of a turn, not what the reading has left.
      if (!work.cancelled && until - clock.now() < TURN_MS / 2) return later();
      this.#waiting.shift();
      if (!work.cancelled) work.finish();
    }
    this.#working = false;
    this.#spentMs = clock.now() - since;
    if (this.#spentMs > 0) laterTurn(() => (this.#spentMs = 0));
  }
}
