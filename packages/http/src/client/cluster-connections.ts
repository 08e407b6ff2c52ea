/** Connections of one cluster, over the pools of all its endpoints: as many as policy allows (connectionPool.tcp.maxConnections). */

import type { Call } from "@inmesh/core";
import type { WireAttempt } from "./wire-attempt.js";

export type ClusterLimits = NonNullable<Call["cluster"]>["limits"];

/** A pool whose requests wait because the cluster has too many connections. */
export interface Hungry {
  /** There may be room for one more. */
  feed(): void;
}

export class ClusterConnections {
  readonly #limits: ClusterLimits;
  readonly #hungry = new Set<Hungry>();

  constructor(limits: ClusterLimits) {
    this.#limits = limits;
    limits.onConnectionGone = () => this.#feed();
  }

  /** Policy limits them, so that they are to be counted one by one. */
  get limited(): boolean {
    return this.#limits.maxConnections !== Number.POSITIVE_INFINITY;
  }

  /** @param own connections that the pool has */
  isFull(own: number): boolean {
    return own > 0 && this.#limits.connections >= this.#limits.maxConnections;
  }

  /**
   * Takes a place for one more. An endpoint may always have one: Envoy's rule, without which a request could wait for ever.
   * @param own connections that the pool has
   * @returns whether there was one; the pool is told of the next where not
   */
  take(own: number, pool: Hungry): boolean {
    const limits = this.#limits;
    if (own === 0 || limits.connections < limits.maxConnections) {
      limits.connections += 1;
      return true;
    }
    limits.overflows.connections += 1; // Envoy counts it so in upstream_cx_overflow
    this.#hungry.add(pool);
    return false;
  }

  /** Its connection is gone. */
  give(): void {
    this.#limits.connections -= 1;
    this.#feed();
  }

  #feed(): void {
    for (const pool of [...this.#hungry]) {
      if (this.#limits.connections >= this.#limits.maxConnections) return;
      this.#hungry.delete(pool);
      pool.feed(); // comes back when it is still hungry
    }
  }

  /** No further connection may be opened for the request. @returns whether it may wait; it has failed where not */
  mayWait(wire: WireAttempt): boolean {
    const limits = this.#limits;
    if (limits.pending < limits.maxPending) return true;
    const { call } = wire.attempt;
    wire.onError(limits.overflow("pending", call, call.cluster!.config)); // as in HttpTransport.send
    return false;
  }

  /** The pool closes. */
  forget(pool: Hungry): void {
    this.#hungry.delete(pool);
  }
}
