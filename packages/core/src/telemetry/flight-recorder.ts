/**
 * What became of the last calls and requests of this process, always on: a ring of records that are used again (pitfalls O8).
 * It answers `inmesh why`, the admin endpoint and `inmesh dev`, and is what a process leaves behind when it dies.
 *
 * One place takes about 1 KB, and the headers of its request beside it: a full ring of the usual size is about 0.5 MB. Places are made as
 * they are needed, so that an idle process holds none.
 */

import type { OutcomeRecord, OutcomeSink } from "./outcome-record.js";
import { OutcomeSlot } from "./outcome-slot.js";

/** Outbound and inbound together. */
export const RECORDS_KEPT = 256;

export class FlightRecorder implements OutcomeSink {
  readonly size: number;
  readonly #ring: OutcomeSlot[] = [];
  #count = 0;

  constructor(size = RECORDS_KEPT) {
    this.size = size;
  }

  /** The place of the oldest one, to be filled within this turn. */
  claim(): OutcomeSlot {
    const index = this.#count++ % this.size;
    let slot = this.#ring[index];
    if (slot === undefined) {
      slot = new OutcomeSlot();
      this.#ring[index] = slot;
    } else slot.reset();
    return slot;
  }

  /** As a sink, for requests that were served: calls are written in their place to begin with. */
  ended(record: OutcomeRecord): void {
    if (record.direction === "inbound") this.claim().copy(record);
  }

  /** Newest first. They change with the next outcomes: read within this turn. */
  read(limit = this.size, direction?: OutcomeSlot["direction"]): readonly OutcomeSlot[] {
    const found: OutcomeSlot[] = [];
    const kept = Math.min(this.size, this.#count);
    for (let back = 1; back <= kept && found.length < limit; back++) {
      const slot = this.#ring[(this.#count - back) % this.size]!; // within what is kept
      if (direction === undefined || slot.direction === direction) found.push(slot);
    }
    return found;
  }
}
