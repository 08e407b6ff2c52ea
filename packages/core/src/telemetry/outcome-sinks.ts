/** Who hears of what became of calls and requests: a plain list, in the order in which they came. */

import type { Call } from "../call/call.js";
import { type Clock, systemClock } from "../runtime/clock.js";
import { throwLater } from "../runtime/throw-later.js";
import type { OutcomeRecord, OutcomeSink } from "./outcome-record.js";

export class OutcomeSinks implements OutcomeSink {
  readonly #clock: Clock;
  #sinks: readonly OutcomeSink[] = [];
  /** Somebody hears of calls that begin. */
  hearsBegins = false;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Somebody listens: a record is worth filling. */
  get any(): boolean {
    return this.#sinks.length > 0;
  }

  /** @returns takes it out again */
  add(sink: OutcomeSink): () => void {
    this.#replace([...this.#sinks, sink]);
    return () => this.#replace(this.#sinks.filter((each) => each !== sink));
  }

  /** Asked for where `hearsBegins` says so. */
  began(call: Call): void {
    for (const sink of this.#sinks) {
      try {
        sink.began?.(call);
      } catch (error) {
        throwLater(this.#clock, error);
      }
    }
  }

  /** Whatever one of them does, the others hear of it, and the caller gets its answer. */
  ended(record: OutcomeRecord): void {
    for (const sink of this.#sinks) {
      try {
        sink.ended(record);
      } catch (error) {
        throwLater(this.#clock, error);
      }
    }
  }

  #replace(sinks: readonly OutcomeSink[]): void {
    this.#sinks = sinks;
    this.hearsBegins = sinks.some(({ began }) => began !== undefined);
  }
}
