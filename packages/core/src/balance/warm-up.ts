/**
 * Slow start: the weight of an endpoint grows from a share of it to all of it while the endpoint is new, so that caches and
 * compilers get warm before the load is full (policy-semantics §2.4). How new it is, its own state knows, which survives
 * snapshots and changes of policy (pitfalls L4). Endpoints known from the beginning are all equally new: they share as ever.
 */

import type { WarmupPolicy } from "@inmesh/model";
import type { EndpointState } from "../cluster/endpoint-state.js";

export class WarmUp {
  readonly #policy: WarmupPolicy;

  constructor(policy: WarmupPolicy) {
    this.#policy = policy;
  }

  /** Share of its weight that counts now, in (0, 1]: Envoy's formula. */
  factor({ since }: EndpointState, now: number): number {
    const { windowMs, minimumRatio, aggression } = this.#policy;
    const age = Math.max(1, now - since) / windowMs;
    if (age >= 1) return 1;
    return Math.max(minimumRatio, aggression === 1 ? age : age ** (1 / aggression));
  }

  /** Clock ms from which on all of them are warm. */
  warmAt(states: readonly EndpointState[]): number {
    const newest = states.reduce((latest, { since }) => Math.max(latest, since), Number.NEGATIVE_INFINITY);
    return newest + this.#policy.windowMs;
  }
}
