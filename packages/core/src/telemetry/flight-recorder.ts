/**
 * What became of the last calls and requests of this process, always on: a ring of their records (pitfalls O8).
 * It answers `inmesh why`, the admin endpoint and `inmesh dev`, and is what a process leaves behind when it dies.
 *
 * With the call behind it a record takes about 1.5 KB, and the headers of its request beside it: a full ring of the usual size is about
 * 0.5 MB. An idle process holds none.
 */

import { CallRecord } from "./call-record.js";
import { KeptRequest } from "./kept-request.js";
import type { OutcomeRecord, OutcomeSink } from "./outcome-record.js";

/** Outbound and inbound together. */
export const RECORDS_KEPT = 256;

export class FlightRecorder implements OutcomeSink {
  readonly size: number;
  readonly #ring: (CallRecord | KeptRequest)[] = [];
  #count = 0;

  constructor(size = RECORDS_KEPT) {
    this.size = size;
  }

  /** In place of the oldest one. */
  add(record: CallRecord | KeptRequest): void {
    this.#ring[this.#count++ % this.size] = record;
  }

  /** As a sink, for requests that were served: calls are added by who ends them. */
  ended(record: OutcomeRecord): void {
    if (record.direction === "inbound") this.add(new KeptRequest(record));
  }

  /** Newest first. */
  read(limit = this.size): readonly OutcomeRecord[] {
    return this.#newestFirst().slice(0, limit);
  }

  /** Of these the calls. */
  calls(limit = this.size): readonly CallRecord[] {
    return this.#newestFirst()
      .filter((record) => record instanceof CallRecord)
      .slice(0, limit);
  }

  #newestFirst(): readonly (CallRecord | KeptRequest)[] {
    const next = this.#count % this.size;
    return [...this.#ring.slice(next), ...this.#ring.slice(0, next)].reverse();
  }
}
