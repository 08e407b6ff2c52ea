/**
 * Retries. The first attempt runs outside p-retry, which drives every one after it: attempt numbers, the limit, the
 * order of waiting and trying (performance.md §5). Whether to try again is decided here, at once, because the answer
 * that would be thrown away is in the transport's hands at that moment.
 */

import type { RetryPolicy, Route } from "@inmesh/model";
import pRetry, { type Options } from "p-retry";
import type { Attempt, HeaderReader } from "../call/attempt.js";
import type { Call, NoRetryReason } from "../call/call.js";
import { isServerFault } from "../call/grpc-status.js";
import { isOverspent, isRetriedBelow } from "../call/ledger.js";
import { NOT_PROCESSED_HEADER } from "../call/mesh-headers.js";
import type { MeshError } from "../errors.js";
import type { Clock } from "../runtime/clock.js";
import type { Random } from "../runtime/random.js";
import type { Engine } from "../stack/engine.js";
import type { RetryDriver, Stage } from "../stack/stack.js";
import { grpcPushbackMs, PUSHBACK_HEADER, retryAfterMs } from "./retry-after.js";
import type { RetryConditions } from "./retry-conditions.js";

export const retry: Stage = {
  role: "retry",
  describe: "tries again what may be tried again",
  make(route, engine) {
    if (route.action.kind !== "forward" || route.retry.maxAttempts < 2) return undefined;
    const { maxAttempts, tokens } = route.retry;
    const retries = route.observed === true ? new ObservedRetries(route, engine) : new Retries(route, engine);
    return { parameters: `${maxAttempts} attempts on ${tokens.join(",")}`, retry: retries };
  },
};

/** Why p-retry goes on after an answer that policy wants retried. */
class RetriedAnswer extends Error {}

class Retries implements RetryDriver {
  readonly #policy: RetryPolicy;
  readonly #conditions: RetryConditions;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor({ retry }: Route, { clock, random, retryConditions }: Engine) {
    this.#policy = retry;
    this.#conditions = retryConditions.of(retry);
    this.#clock = clock;
    this.#random = random;
  }

  dislikes(call: Call, attempt: Attempt, header: HeaderReader): boolean {
    return isUnprocessed(attempt.status, header) || this.#conditions.answer(call, attempt.status, header);
  }

  wantsAnswer(call: Call, attempt: Attempt, header: HeaderReader): boolean {
    const { status } = attempt;
    const unprocessed = isUnprocessed(status, header);
    if (!unprocessed && !this.#conditions.answer(call, status, header)) {
      if (status >= 500 || isServerFault(attempt.grpcStatus)) call.noRetry = "not_retriable";
      return false;
    }
    if (isRetriedBelow(header)) {
      call.noRetry = "retried_below";
      return false;
    }
    // What a peer that is overloaded asks for, it asks for itself: another one need not be waited for.
    const elsewhere = unprocessed && call.cluster!.hasUntried([...(call.tried ?? []), attempt.endpoint]); // an attempt exists
    const asks = !elsewhere && (status === 429 || status === 503); // RFC 9110 §15.6.4, RFC 6585 §4
    call.retryAfterMs = asks ? retryAfterMs(header("retry-after"), this.#clock.wallTime()) : 0;
    if (status === 200 && !elsewhere) {
      const pushbackMs = grpcPushbackMs(header(PUSHBACK_HEADER));
      if (pushbackMs < 0) {
        call.noRetry = "pushed_back";
        return false;
      }
      call.retryAfterMs = pushbackMs;
    }
    return this.#allowed(call, attempt, attempt.sent && !unprocessed);
  }

  wantsFailure(call: Call, attempt: Attempt, failure: MeshError): boolean {
    call.retryAfterMs = 0;
    if (failure.code === "OVERFLOW") call.noRetry = "overloaded";
    else if (failure.code === "WRONG_PEER" && !call.cluster!.hasOther(call))
      call.noRetry = "wrong_peer"; // an attempt exists
    else if (this.#conditions.failure(failure.code)) return this.#allowed(call, attempt, attempt.sent);
    else call.noRetry = "not_retriable";
    return false;
  }

  again(call: Call, attempt: Attempt, failure: MeshError | undefined): void {
    const error = failure ?? new RetriedAnswer(`attempt ${attempt.number} was answered ${attempt.status}`);
    const { pending } = call;
    if (pending !== undefined) {
      call.pending = undefined;
      return pending.reject(error); // p-retry waits, then comes back for the next
    }
    void this.#drive(call, error);
  }

  async #drive(call: Call, firstError: Error): Promise<void> {
    try {
      await pRetry((number) => {
        if (number === 1) return Promise.reject(firstError);
        if (call.ended) return Promise.resolve();
        return new Promise<void>((resolve, reject) => {
          call.pending = { resolve, reject };
          call.stack!.attempt(call, call.attempts + 1); // retries belong to a stack; hedges are not known to p-retry
        });
      }, this.#options(call));
    } catch (error) {
      // Normally the call has ended by now; what is left is a fault of ours, and the caller must not wait for ever.
      if (!call.ended && !call.answered) call.fail(error);
    }
  }

  /** All of p-retry's options: a missing one costs 10 us on Node 20 (performance.md §5). The waiting is ours: Envoy's jitter. */
  #options(call: Call): Options {
    return {
      retries: this.#policy.maxAttempts - 1,
      factor: 1,
      minTimeout: 0,
      maxTimeout: 0,
      maxRetryTime: Number.POSITIVE_INFINITY,
      randomize: false,
      onFailedAttempt: ({ attemptNumber }) => this.#wait(call, attemptNumber),
      shouldRetry: () => !call.ended,
      shouldConsumeRetry: () => true,
      signal: undefined,
      unref: true,
    };
  }

  #wait(call: Call, attemptNumber: number): Promise<void> | undefined {
    const ms = Math.max(backoffMs(attemptNumber, this.#policy, this.#random), call.retryAfterMs);
    if (ms === 0 || call.ended) return undefined;
    return new Promise((resolve) => {
      const timer = this.#clock.hold(ms, () => {
        call.cancelWait = undefined;
        resolve();
      });
      call.cancelWait = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  /**
   * Policy would try again: whether the rules of the house allow it.
   * @param acted something may have been done for it; what provably was not may even be a POST (pitfalls R1)
   */
  #allowed(call: Call, attempt: Attempt, acted: boolean): boolean {
    call.noRetry = this.#objection(call, attempt, acted);
    if (call.noRetry !== undefined) return false;
    if (call.context !== undefined) call.context.repeats += 1;
    return true;
  }

  /** The last two take what they allow, so they stand last. */
  #objection(call: Call, attempt: Attempt, acted: boolean): NoRetryReason | undefined {
    const { maxAttempts } = this.#policy;
    const { attempts } = call;
    if (attempts + call.spent >= maxAttempts) return attempts < maxAttempts ? "tried_before" : "attempts_exhausted";
    // An answer 200 is a gRPC status that the rule names: whoever answers so decides, as by gRFC A6, that asking again is meant.
    if (acted && attempt.status !== 200 && !call.idempotent) return "not_idempotent";
    if (!call.exchange.canReplay()) return "body_not_replayable";
    const now = this.#clock.now();
    if (now >= call.deadlineAt) return "deadline";
    // What was not acted on has cost nobody anything.
    if (acted && call.context !== undefined && call.context.spentAbove > 0) return "retried_above";
    if (now + call.retryAfterMs >= call.deadlineAt) return "retry_after";
    if (isOverspent(call)) return "request_budget";
    const cluster = call.cluster!; // an attempt exists, so its cluster does
    const { limits, breakers } = cluster;
    if (breakers?.mayRetry(attempt, cluster, now) === false) return "breaker_open";
    if (!limits.mayRetry(call, now)) return "retry_budget";
    if (!cluster.mayRetry(now)) return "retry_rate"; // takes one, so it stands last
    limits.holdRetry(call);
    return undefined;
  }
}

/** R12: whoever retries at all retries what a peer refused before its application saw it. */
function isUnprocessed(status: number, header: HeaderReader): boolean {
  return (status === 503 || status === 429 || status === 200) && header(NOT_PROCESSED_HEADER) !== undefined;
}

/** MeshMode observe: the rule's own conditions want to see every answer's head, too. */
class ObservedRetries extends Retries {
  override wantsAnswer(call: Call, attempt: Attempt, header: HeaderReader): boolean {
    call.engine.rehearsal.answered(call, attempt.status, header);
    return super.wantsAnswer(call, attempt, header);
  }
}

/**
 * Envoy's fully jittered exponential back-off: before retry N a random time in [0, (2^N - 1) * base), capped.
 * @returns ms
 */
export function backoffMs(retryNumber: number, { backoffBaseMs, backoffMaxMs }: RetryPolicy, random: Random): number {
  const ceiling = Math.min((2 ** Math.min(retryNumber, 30) - 1) * backoffBaseMs, backoffMaxMs);
  return random.next() * ceiling;
}
