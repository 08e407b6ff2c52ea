/** Chooses one endpoint of a cluster. One file per strategy; one contract suite for all (`balancer.contract.ts`). */

import type { Outcome } from "../call/attempt.js";
import type { EndpointState } from "../cluster/endpoint-state.js";

export interface Balancer {
  /** The endpoints that may be picked now, in stable order. Called when membership, weights or ejections change. */
  update(states: readonly EndpointState[]): void;
  /**
   * @param now clock ms
   * @returns undefined only when there is nothing to pick from
   */
  pick(now: number): EndpointState | undefined;
  /** An attempt on `state` ended `latencyMs` after it began. Absent where the strategy does not learn. */
  observe?(state: EndpointState, latencyMs: number, outcome: Outcome, now: number): void;
}
