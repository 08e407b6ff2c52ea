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

/** Of one turn, in ms: a sixth of what is noticed as a stall. */
const TURN_MS = 8;

export class AnswerQueue {
  readonly #options: AnswerQueueOptions;
  readonly #waiting: AnswerWork[] = [];
  #working = false;

  constructor(options: AnswerQueueOptions) {
    this.#options = options;
  }

  add(work: AnswerWork): void {
    this.#waiting.push(work);
    if (this.#working) return;
    this.#working = true;
    this.#turn();
  }

  #turn(): void {
    const { clock, laterTurn } = this.#options;
    const until = clock.now() + TURN_MS;
    for (let work = this.#waiting[0]; work !== undefined; work = this.#waiting[0]) {
      while (!work.cancelled && !work.done) {
        work.step();
        if (clock.now() < until) continue;
        laterTurn(() => this.#turn());
        return;
      }
      this.#waiting.shift();
      if (!work.cancelled) work.finish();
    }
    this.#working = false;
  }
}
