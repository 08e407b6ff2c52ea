/** Requests that wait for a connection to one endpoint, in the order in which they came. One that is given up leaves at once. */

import type { ClusterLimits } from "./cluster-connections.js";
import type { WireAttempt } from "./wire-attempt.js";

export class WaitingRequests {
  readonly #wires = new Set<WireAttempt>();
  readonly #left: () => void;

  /** @param left told when one left by itself */
  constructor(left: () => void) {
    this.#left = left;
  }

  get size(): number {
    return this.#wires.size;
  }

  /** @param limited no further connection may be opened, so that the wait is not the endpoint's doing */
  add(wire: WireAttempt, limited: boolean): void {
    const { attempt } = wire;
    if (limited) limitsOf(wire).wait(attempt);
    this.#wires.add(wire);
    attempt.abort = () => {
      if (this.#wires.delete(wire)) this.#left();
    };
  }

  /** The first one, which waits no longer. */
  next(): WireAttempt | undefined {
    const [wire] = this.#wires;
    if (wire === undefined) return undefined;
    this.#wires.delete(wire);
    const { attempt } = wire;
    attempt.abort = undefined;
    if (!attempt.waits) return wire;
    const { call } = attempt;
    const limits = limitsOf(wire);
    if (limits.full) {
      wire.onError(limits.overflow("requests", call, call.cluster!.config)); // as below
      return this.next();
    }
    limits.resume(attempt);
    return wire;
  }

  /** All of them, or those only whose own connection was being opened. */
  fail(error: unknown, which: "all" | "connecting" = "all"): void {
    for (const wire of [...this.#wires]) {
      if (which === "connecting" && wire.attempt.waits) continue;
      this.#wires.delete(wire);
      wire.onError(error);
    }
  }
}

function limitsOf({ attempt }: WireAttempt): ClusterLimits {
  return attempt.call.cluster!.limits; // an attempt has an endpoint, so its call has a cluster
}
