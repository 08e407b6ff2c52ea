/**
 * Half open: which attempts may find out whether it is well again. A place is taken before anything is awaited (pitfalls
 * B3); one at a time at first, then two, then four, as long as they do well (B4); an attempt that says nothing gives its
 * place back (B2). No timer: a probe that hangs is counted when the next call asks for a place (B11).
 */

import type { Attempt } from "../call/attempt.js";

/** At a time, at most. */
const MOST_AT_A_TIME = 4;

export interface ProbeLimits {
  /** Results that decide. */
  readonly probes: number;
  /** Opens again when more than this share failed, or more than `slowRatio` were slow, 0–1. */
  readonly failureRatio: number;
  readonly slowRatio: number;
  /** A probe without an answer's head after this long has failed. In ms. */
  readonly patienceMs: number;
}

export type Verdict = "good" | "bad" | undefined;

export class ProbeGate {
  readonly #limits: ProbeLimits;
  readonly #out: Attempt[] = [];
  /** Places of this round, and results of it that were good. */
  #width = 1;
  #well = 0;
  done = 0;
  failed = 0;
  slow = 0;
  #verdict: Verdict;

  constructor(limits: ProbeLimits) {
    this.#limits = limits;
  }

  /** Once it is there, nobody is let through any more. */
  get verdict(): Verdict {
    return this.#verdict;
  }

  /** Probes on their way. */
  get out(): number {
    return this.#out.length;
  }

  /** Whether there is a place. */
  free(): boolean {
    const { length } = this.#out;
    return this.#verdict === undefined && length < this.#width && this.done + length < this.#limits.probes;
  }

  take(attempt: Attempt): void {
    this.#out.push(attempt);
  }

  /** Its place is free again, whatever it came to. @returns false when it had none, or none any more */
  giveBack(attempt: Attempt): boolean {
    const index = this.#out.indexOf(attempt);
    if (index < 0) return false;
    this.#out.splice(index, 1);
    return true;
  }

  /** What a probe that gave its place back came to. */
  count(failed: boolean, slow: boolean): Verdict {
    this.done += 1;
    if (failed) this.failed += 1;
    if (slow) this.slow += 1;
    this.#widen(!failed && !slow);
    const { probes, failureRatio, slowRatio } = this.#limits;
    if (this.failed > failureRatio * probes || this.slow > slowRatio * probes) this.#verdict = "bad";
    else if (this.done >= probes) this.#verdict = "good";
    return this.#verdict;
  }

  /** A whole round that does well doubles the next one; one that does not starts anew. */
  #widen(well: boolean): void {
    this.#well = well ? this.#well + 1 : 0;
    if (!well) this.#width = 1;
    else if (this.#well >= this.#width) {
      this.#width = Math.min(this.#width * 2, MOST_AT_A_TIME);
      this.#well = 0;
    }
  }

  /** Probes that have their answer's head, whose bodies may go on for long, and those whose patience is over. */
  overdue(now: number): readonly Attempt[] {
    const { patienceMs } = this.#limits;
    return this.#out.filter((attempt) => attempt.headAt > 0 || now - attempt.startedAt >= patienceMs);
  }
}
