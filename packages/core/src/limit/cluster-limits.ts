/**
 * What one cluster has in use, and how much of it policy allows: Envoy's circuit breaker thresholds, which Istio writes as
 * `connectionPool` and `retryBudget` (policy-semantics §2.3, §2.6). Counters of one process, always kept; a limit that
 * policy does not name is infinite. Envoy's own way of counting, as measured with 1.40: a request that waits for a connection is
 * pending and not under way, copies of requests count, a retry is under way from its decision, back-off included.
 *
 * A transport that lets attempts wait because of `maxConnections` says so with `wait` and `resume`, keeps `connections`, and
 * asks `refusal` when an attempt gets its connection: only then it is known whether too many are under way.
 */

import type { Cluster, RetryBudgetPolicy, TrafficPolicy } from "@inmesh/model";
import type { Attempt } from "../call/attempt.js";
import type { Call } from "../call/call.js";
import type { MeshError } from "../errors.js";
import { RollingCount } from "../stats/rolling-count.js";
import { overflowError } from "./overflow-error.js";

/** What of a cluster can run out. */
export type LimitKind = "connections" | "pending" | "requests" | "retries";

/** For what Istio has no word for and so sets no limit to: hedges. Envoy's default of a retry budget (pitfalls R8). */
const DEFAULT_BUDGET: RetryBudgetPolicy = { ratio: 0.2, minConcurrency: 3, intervalMs: 0 };

export class ClusterLimits {
  /** Attempts sent, or about to be, whose answer has not ended. */
  active = 0;
  /** Attempts that wait for a connection because no further one may be opened; none of them is in `active`. */
  pending = 0;
  /** Open ones and those being opened; kept by the transport. */
  connections = 0;
  /** Set by a transport that has attempts wait for connections: somebody else's is gone. */
  onConnectionGone: (() => void) | undefined = undefined;
  /** Calls that have decided to try again and have no answer yet. */
  retries = 0;
  /** How often each of them ran out. */
  readonly overflows: Record<LimitKind, number> = { connections: 0, pending: 0, requests: 0, retries: 0 };
  maxConnections = Number.POSITIVE_INFINITY;
  maxPending = Number.POSITIVE_INFINITY;
  maxRequests = Number.POSITIVE_INFINITY;
  #maxRetries = Number.POSITIVE_INFINITY;
  #budget: RetryBudgetPolicy | undefined;
  /** Requests that ended in the budget's last while; undefined where only those of now count. */
  #ended: RollingCount | undefined;

  /** @param now clock ms */
  constructor(policy: TrafficPolicy, now: number) {
    this.update(policy, now);
  }

  /** Policy changed. What is in use stays as it is, and counts for the new limits. */
  update({ limits, retryBudget }: TrafficPolicy, now: number): void {
    this.maxConnections = limits?.maxConnections || Number.POSITIVE_INFINITY; // 0 is unlimited
    this.maxPending = limits?.maxPendingRequests || Number.POSITIVE_INFINITY;
    this.maxRequests = limits?.maxRequests || Number.POSITIVE_INFINITY;
    this.#maxRetries = limits?.maxRetries || Number.POSITIVE_INFINITY;
    const intervalMs = retryBudget?.intervalMs ?? 0;
    if (intervalMs !== (this.#budget?.intervalMs ?? 0)) {
      this.#ended = intervalMs > 0 ? new RollingCount(1, intervalMs, now) : undefined;
    }
    this.#budget = retryBudget;
  }

  // ---- requests ----

  /** No further request may be under way, and none may wait until one is over: known before an endpoint is picked. */
  get full(): boolean {
    return this.active >= this.maxRequests && this.maxConnections === Number.POSITIVE_INFINITY;
  }

  /** An attempt has got its connection. @returns why it may not go all the same, counted */
  refusal({ call }: Attempt): MeshError | undefined {
    return this.active > this.maxRequests ? this.overflow("requests", call, call.cluster!.config) : undefined; // it has an endpoint
  }

  /** @returns the error of a request that is one too many, which is counted by this */
  overflow(kind: Exclude<LimitKind, "retries">, call: Call, config: Cluster): MeshError {
    this.overflows[kind] += 1;
    return overflowError(kind, call, config);
  }

  /** An attempt of this cluster begins. */
  begin(): void {
    this.active += 1;
  }

  /** It finds no connection and waits. */
  wait(attempt: Attempt): void {
    if (attempt.waits) return;
    attempt.waits = true;
    attempt.waitedMs -= attempt.call.engine.clock.now();
    this.active -= 1;
    this.pending += 1;
  }

  /** It waits no more. */
  resume(attempt: Attempt): void {
    if (!attempt.waits) return;
    attempt.waits = false;
    attempt.waitedMs += attempt.call.engine.clock.now();
    this.pending -= 1;
    this.active += 1;
  }

  /** It is over. */
  end(attempt: Attempt, now: number): void {
    if (attempt.waits) this.pending -= 1;
    else this.active -= 1;
    this.#ended?.add(0, now);
  }

  // ---- retries ----

  /** Retries that may be under way now. */
  maxRetries(now: number): number {
    return this.#budget === undefined ? this.#maxRetries : this.#allowance(this.#budget, now);
  }

  /** Whether the call may try again; counted where not. One that has done so before gives its own place up for the next. */
  mayRetry({ retrying }: Call, now: number): boolean {
    return this.#may(retrying, this.maxRetries(now));
  }

  /** The same for an attempt beside another one: never without a budget. */
  mayHedge({ retrying }: Call, now: number): boolean {
    return this.#may(retrying, Math.min(this.#maxRetries, this.#allowance(this.#budget ?? DEFAULT_BUDGET, now)));
  }

  holdRetry(call: Call): void {
    if (call.retrying) return;
    call.retrying = true;
    this.retries += 1;
  }

  freeRetry(call: Call): void {
    if (!call.retrying) return;
    call.retrying = false;
    this.retries -= 1;
  }

  #may(holds: boolean, most: number): boolean {
    if (this.retries - (holds ? 1 : 0) < most) return true;
    this.overflows.retries += 1;
    return false;
  }

  #allowance({ ratio, minConcurrency }: RetryBudgetPolicy, now: number): number {
    const requests = this.active + this.pending + (this.#ended?.sum(0, now) ?? 0);
    return Math.max(minConcurrency, Math.floor(ratio * requests));
  }
}
