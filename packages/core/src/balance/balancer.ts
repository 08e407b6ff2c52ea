/** Chooses one endpoint of a cluster. One file per strategy; one contract suite for all (`balancer.contract.ts`). */

import type { Route } from "@inmesh/model";
import type { Outcome } from "../call/attempt.js";
import type { EndpointState } from "../cluster/endpoint-state.js";

/** What a strategy may look at of the call that it picks for. */
export interface Picking {
  /** Of the parts of the request that the rule hashes, 64 bits; undefined where there are none, or the request lacks them. */
  readonly hash: bigint | undefined;
  /** Endpoints that its attempts failed on. */
  readonly tried?: readonly EndpointState[] | undefined;
  readonly route?: Route | undefined;
}

export interface Balancer {
  /**
   * Called when membership, weights or health change.
   * @param usable the endpoints that may be picked now, in stable order; empty only where none may be
   * @param all of the cluster, those left alone for a while included
   * @param minHealthRatio given to what divides endpoints into ranks: with a smaller share of one usable, all of it may be
   */
  update(usable: readonly EndpointState[], all: readonly EndpointState[], minHealthRatio?: number): void;
  /**
   * @param now clock ms
   * @param avoid tried by this call before: passed over where another is left, by strategies that would otherwise choose the
   * same one again; the others may ignore it, and are asked again
   * @returns undefined only when there is nothing to pick from
   */
  pick(now: number, call: Picking, avoid?: readonly EndpointState[]): EndpointState | undefined;
  /** An attempt on `state` ended `latencyMs` after it began. Absent where the strategy does not learn. */
  observe?(state: EndpointState, latencyMs: number, outcome: Outcome, now: number): void;
  /** Why there is nothing to pick although the cluster has endpoints; empty when there is. Absent where that cannot be. */
  readonly complaint?: string;
  /** For the admin endpoint: what is special about it now. Absent where its name says it all. */
  describe?(): BalancerView;
}

/** How calls are spread at the moment. */
export interface BalancerView {
  /** `ring of 1,024 points`, `2 of 14 endpoints used`: each in a few words. */
  readonly notes: readonly string[];
  /** Shares of localities or ranks; absent where all are one. */
  readonly groups?: readonly BalancerGroupView[];
}

export interface BalancerGroupView {
  /** `eu/eu-1`, `rank 0`. */
  readonly name: string;
  /** Of the calls, 0–1. */
  readonly share: number;
  readonly endpoints: number;
  /** Of these, not left alone at the moment. */
  readonly usable: number;
}

/** A call that brings nothing to look at. */
export const NO_HASH: Picking = { hash: undefined };
