/** Requests that wait for a connection to one endpoint, in the order in which they came. One that is given up leaves at once. */

import type { ClusterLimits } from "./cluster-connections.js";
import type { WireAttempt } from "./wire-attempt.js";

/** Places at the front of the line that may be empty before they are cleared away. */
const EMPTY_PLACES = 1_024;

export class WaitingRequests {
  readonly #members = new Set<WireAttempt>();
  /** Those that are no members have left. Not the set's own order: it walks over all that left to find the first. */
  #line: WireAttempt[] = [];
  /** Places before it are empty. */
  #head = 0;
  readonly #left: () => void;

  /** @param left told when one left by itself */
  constructor(left: () => void) {
    this.#left = left;
  }

  get size(): number {
    return this.#members.size;
  }

  /** @param limited no further connection may be opened, so that the wait is not the endpoint's doing */
  add(wire: WireAttempt, limited: boolean): void {
    const { attempt } = wire;
    if (limited) limitsOf(wire).wait(attempt);
    this.#members.add(wire);
    this.#line.push(wire);
    attempt.abort = () => {
      if (this.#members.delete(wire)) this.#left();
    };
  }

  /** The first one, which waits no longer: whether it may go is asked once it has its connection. */
  next(): WireAttempt | undefined {
    const wire = this.#shift();
    if (wire?.attempt.waits) limitsOf(wire).resume(wire.attempt);
    return wire;
  }

  /** All of them, or those only whose own connection was being opened. */
  fail(error: unknown, which: "all" | "connecting" = "all"): void {
    for (const wire of [...this.#members]) {
      if (which === "connecting" && wire.attempt.waits) continue;
      if (this.#members.delete(wire)) wire.onError(error);
    }
  }

  #shift(): WireAttempt | undefined {
    while (this.#members.size > 0) {
      const wire = this.#line[this.#head++]!; // every member is in the line
      if (this.#head === EMPTY_PLACES) {
        this.#line = this.#line.slice(this.#head);
        this.#head = 0;
      }
      if (!this.#members.delete(wire)) continue;
      wire.attempt.abort = undefined;
      return wire;
    }
    this.#line = [];
    this.#head = 0;
    return undefined;
  }
}

function limitsOf({ attempt }: WireAttempt): ClusterLimits {
  return attempt.call.cluster!.limits; // an attempt has an endpoint, so its call has a cluster
}
