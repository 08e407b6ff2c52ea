/**
 * Retries. The first attempt runs outside p-retry, which drives every one after it: attempt numbers, the limit, the
 * order of waiting and trying (performance.md §5). Whether to try again is decided here, at once, because the answer
 * that would be thrown away is in the transport's hands at that moment.
 */

import type { RetryPolicy, Route } from "@inmesh/model";
import pRetry, { type Options } from "p-retry";
import type { Attempt, HeaderReader } from "../call/attempt.js";
import type { Call } from "../call/call.js";
import type { MeshError } from "../errors.js";
import type { Clock } from "../runtime/clock.js";
import type { Random } from "../runtime/random.js";
import type { Engine } from "../stack/engine.js";
import type { RetryDriver, Stage } from "../stack/stack.js";
import { retriesAnswer, retriesFailure } from "./retry-conditions.js";

export const retry: Stage = {
  role: "retry",
  describe: "tries again what may be tried again",
  make(route, engine) {
    if (route.action.kind !== "forward" || route.retry.maxAttempts < 2) return undefined;
    const { maxAttempts, tokens } = route.retry;
    return { parameters: `${maxAttempts} attempts on ${tokens.join(",")}`, retry: new Retries(route, engine) };
  },
};

/** Why p-retry goes on after an answer that policy wants retried. */
class RetriedAnswer extends Error {}

class Retries implements RetryDriver {
  readonly #policy: RetryPolicy;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor({ retry }: Route, { clock, random }: Engine) {
    this.#policy = retry;
    this.#clock = clock;
    this.#random = random;
  }

  wantsAnswer(call: Call, attempt: Attempt, header: HeaderReader): boolean {
    if (attempt.status < 400 && attempt.status !== 200 && !this.#policy.statusCodes.has(attempt.status)) return false;
    return retriesAnswer(this.#policy, attempt.status, header) && this.#allowed(call, attempt, false);
  }

  wantsFailure(call: Call, attempt: Attempt, failure: MeshError): boolean {
    if (!retriesFailure(this.#policy, failure.code)) {
      call.noRetry = "not_retriable";
      return false;
    }
    return this.#allowed(call, attempt, failure.code === "CONNECT_FAILED");
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
          call.stack!.attempt(call, number); // retries belong to a stack
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
    const ms = backoffMs(attemptNumber, this.#policy, this.#random);
    if (ms === 0 || call.ended) return undefined;
    return new Promise((resolve) => {
      const timer = this.#clock.after(ms, () => {
        call.cancelWait = undefined;
        resolve();
      });
      call.cancelWait = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  /** @param unsent provably nothing reached the peer, so even a POST may be sent again (pitfalls R1) */
  #allowed(call: Call, attempt: Attempt, unsent: boolean): boolean {
    call.noRetry =
      attempt.number >= this.#policy.maxAttempts
        ? "attempts_exhausted"
        : !unsent && !call.idempotent
          ? "not_idempotent"
          : !call.exchange.canReplay()
            ? "body_not_replayable"
            : this.#clock.now() >= call.deadlineAt
              ? "deadline"
              : undefined;
    return call.noRetry === undefined;
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
