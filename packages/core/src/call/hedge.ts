/**
 * Hedging: while no answer has begun, a further attempt is sent to another endpoint after each delay, and the first good
 * head wins (Dean and Barroso, "The Tail at Scale", CACM 56(2), 2013; gRFC A6). One for each call of a cluster whose policy
 * asks for it, and only for what may be carried out twice: others have none, and cost one check.
 *
 * A hedge is a retry that did not wait for the failure: it counts as one of the rule's attempts and for every budget, and
 * where one of those says no, the attempts that are out are waited for.
 */

import type { HedgingPolicy } from "@inmesh/model";
import { WheelNode } from "../runtime/timer-wheel.js";
import type { Attempt } from "./attempt.js";
import type { Call } from "./call.js";
import { isOverspent } from "./ledger.js";

/** The timeout after which a further attempt is sent. */
export class Hedge extends WheelNode {
  /** Attempts without an answer, in the order in which they were sent. */
  readonly out: Attempt[] = [];
  /** Attempts sent beside others. */
  sent = 0;
  readonly #call: Call;
  readonly #policy: HedgingPolicy;

  constructor(call: Call, policy: HedgingPolicy) {
    super();
    this.#call = call;
    this.#policy = policy;
  }

  begun(attempt: Attempt): void {
    this.out.push(attempt);
    const { maxAttempts, delayMs } = this.#policy;
    if (this.#call.attempts < maxAttempts) this.#call.engine.wheel.add(this, attempt.startedAt + delayMs);
  }

  /** It is settled. With nobody out there is nothing to send beside: what comes next is the retry stage's. */
  over(attempt: Attempt): void {
    const index = this.out.indexOf(attempt);
    if (index < 0) return;
    this.out.splice(index, 1);
    if (this.out.length === 0) this.stop();
  }

  stop(): void {
    if (this.wheelTick >= 0) this.#call.engine.wheel.remove(this);
  }

  /** Others than `attempt` may still bring the answer. */
  hasOthers(attempt: Attempt): boolean {
    return this.out.length > 1 || (this.out.length === 1 && this.out[0] !== attempt);
  }

  override onTimeout(): void {
    const call = this.#call;
    if (call.ended || call.answered || this.out.length === 0 || !this.#mayHedge()) return;
    if (call.context !== undefined) call.context.repeats += 1;
    const { attempts, retrying } = call;
    const { limits } = call.cluster!; // attempts are out, so there is a cluster
    limits.holdRetry(call);
    this.sent += 1;
    call.stack!.attempt(call, attempts + 1); // and a stack
    if (call.attempts > attempts) return;
    this.sent -= 1; // there was no endpoint for it
    if (!retrying) limits.freeRetry(call);
  }

  /** As for retries; the last question takes what it allows. */
  #mayHedge(): boolean {
    const call = this.#call;
    const { context, engine } = call;
    const cluster = call.cluster!; // attempts are out
    const now = engine.clock.now();
    if (call.attempts + call.spent >= this.#policy.maxAttempts) return false;
    if (now >= call.deadlineAt || !call.exchange.canReplay()) return false;
    if (context !== undefined && (context.spentAbove > 0 || isOverspent(call))) return false;
    call.tried = [...(call.tried ?? []), ...this.out.map(({ endpoint }) => endpoint)];
    const { breakers, limits } = cluster;
    if (limits.full || breakers?.stops(call, cluster, now) !== undefined) return false; // the call itself goes on
    if (!cluster.hasUntried(breakers?.avoided(call, call.tried, now) ?? call.tried)) return false;
    return limits.mayHedge(call, now) && cluster.mayRetry(now);
  }
}

/** @param policy as it is when the attempt begins; a call that has begun to hedge goes on by the one that it began with */
export function hedge(call: Call, attempt: Attempt, policy: HedgingPolicy | undefined): void {
  if (call.hedge === undefined) {
    if (policy === undefined || attempt.number > 1 || !call.idempotent || call.exchange.canHedge?.() !== true) return;
    call.hedge = new Hedge(call, policy);
  }
  call.hedge.begun(attempt);
}
