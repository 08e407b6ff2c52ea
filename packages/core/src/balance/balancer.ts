/** Chooses one endpoint of a cluster. One file per strategy; one contract suite for all (`balancer.contract.ts`). */

import type { Outcome } from "../call/attempt.js";
import type { EndpointState } from "../cluster/endpoint-state.js";

export interface Balancer {
  /** The endpoints that may be picked now, in stable order. Called when membership, weights or ejections change. */
  update(states: readonly EndpointState[]): void;
  /** @returns undefined only when there is nothing to pick from */
  pick(): EndpointState | undefined;
  /** An attempt on `state` ended after `latencyMs`. Absent where the strategy does not learn. */
  observe?(state: EndpointState, latencyMs: number, outcome: Outcome): void;
}
