/** Requests that wait for a connection to one endpoint, in the order in which they came. One that is given up leaves at once. */

import { WaitingLine } from "@inmesh/core/internal";
import type { ClusterLimits } from "./cluster-connections.js";
import type { WireAttempt } from "./wire-attempt.js";

export class WaitingRequests {
  readonly #line = new WaitingLine<WireAttempt>();
  readonly #left: () => void;

  /** @param left told when one left by itself */
  constructor(left: () => void) {
    this.#left = left;
  }

  get size(): number {
    return this.#line.size;
  }

  /** @param limited no further connection may be opened, so that the wait is not the endpoint's doing */
  add(wire: WireAttempt, limited: boolean): void {
    const { attempt } = wire;
    if (limited) limitsOf(wire).wait(attempt);
    this.#line.add(wire);
    attempt.abort = () => {
      if (this.#line.delete(wire)) this.#left();
    };
  }

  /** The first one, which waits no longer: whether it may go is asked once it has its connection. */
  next(): WireAttempt | undefined {
    const wire = this.#line.shift();
    if (wire === undefined) return undefined;
    wire.attempt.abort = undefined;
    if (wire.attempt.waits) limitsOf(wire).resume(wire.attempt);
    return wire;
  }

  /** All of them, or those only whose own connection was being opened. */
  fail(error: unknown, which: "all" | "connecting" = "all"): void {
    for (const wire of [...this.#line]) {
      if (which === "connecting" && wire.attempt.waits) continue;
      if (this.#line.delete(wire)) wire.onError(error);
    }
  }
}

function limitsOf({ attempt }: WireAttempt): ClusterLimits {
  return attempt.call.cluster!.limits; // an attempt has an endpoint, so its call has a cluster
}
