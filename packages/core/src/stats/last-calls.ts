/**
 * The last calls of this process, for the admin endpoint and `inmesh dev`. A ring of fixed size (pitfalls O8); calls
 * that are over have let go of bodies, callbacks and snapshots (`Call.forget`).
 */

import type { Call } from "../call/call.js";

/** Power of two. */
const SIZE = 128;

export class LastCalls {
  readonly #ring: (Call | undefined)[] = new Array<Call | undefined>(SIZE).fill(undefined);
  #count = 0;

  add(call: Call): void {
    this.#ring[this.#count++ & (SIZE - 1)] = call;
  }

  /** Newest first. */
  read(limit = SIZE): readonly Call[] {
    const calls: Call[] = [];
    for (let back = 1; back <= Math.min(limit, SIZE, this.#count); back++) {
      const call = this.#ring[(this.#count - back) & (SIZE - 1)];
      if (call !== undefined) calls.push(call);
    }
    return calls;
  }
}
