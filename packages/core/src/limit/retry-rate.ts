/**
 * Retries by rate: a bucket of tokens for each cluster. Every call that starts earns a share of a retry, time earns a few
 * more so that rare calls may be retried at all, and each retry takes one (Finagle's RetryBudget; Gateway API's
 * RetryConstraint). Nothing is counted while calls succeed: what was earned is worked out when a retry is wanted.
 */

import type { RetryRatePolicy } from "@inmesh/model";

/** What may be saved up: this long of `minPerSecond`, in s. Finagle's figure. */
const SAVED_S = 10;
/** But no less than this, or a share of 0.1 could never be used. In retries. */
const LEAST_SAVED = 10;

export class RetryRate {
  #tokens: number;
  /** Calls of the cluster begun by `#at`. */
  #calls: number;
  #at: number;

  /** Full: a process that has just started may retry. @param calls begun so far */
  constructor(policy: RetryRatePolicy, calls: number, now: number) {
    this.#tokens = mostTokens(policy);
    this.#calls = calls;
    this.#at = now;
  }

  /** @param policy in force now: it may have changed, what was saved up stays. @returns whether a token was there, and takes it */
  take(policy: RetryRatePolicy, calls: number, now: number): boolean {
    this.#earn(policy, calls, now);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Retries left, for people. */
  left(policy: RetryRatePolicy, calls: number, now: number): number {
    this.#earn(policy, calls, now);
    return this.#tokens;
  }

  #earn(policy: RetryRatePolicy, calls: number, now: number): void {
    const earned = (calls - this.#calls) * policy.ratio + ((now - this.#at) / 1_000) * policy.minPerSecond;
    this.#tokens = Math.min(this.#tokens + Math.max(0, earned), mostTokens(policy));
    this.#calls = calls;
    this.#at = now;
  }
}

function mostTokens({ minPerSecond }: RetryRatePolicy): number {
  return Math.max(LEAST_SAVED, SAVED_S * minPerSecond);
}
