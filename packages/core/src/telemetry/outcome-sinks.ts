/** Who hears of what became of calls and requests: a plain list, and nothing is made while it is empty. */

import type { OutcomeRecord, OutcomeSink } from "./outcome-record.js";

export class OutcomeSinks {
  #sinks: readonly OutcomeSink[] = [];

  /** Somebody listens: a record is worth filling. */
  get any(): boolean {
    return this.#sinks.length > 0;
  }

  /** @returns takes it out again */
  add(sink: OutcomeSink): () => void {
    this.#sinks = [...this.#sinks, sink];
    return () => {
      this.#sinks = this.#sinks.filter((each) => each !== sink);
    };
  }

  ended(record: OutcomeRecord): void {
    const sinks = this.#sinks;
    for (let index = 0; index < sinks.length; index++) sinks[index]!.ended(record); // within the length
  }
}
