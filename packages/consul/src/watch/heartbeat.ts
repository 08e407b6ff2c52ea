/**
 * A small question that is not held, every few seconds. Held ones stay open while a token is revoked, an agent is gone
 * without a word, or the servers have lost their leader; this one says so. It reads below the policy's prefix, so a
 * refusal also tells a policy that is hidden from one that is empty.
 */

import type { Clock, Random, Timer } from "@inmesh/core";
import type { ConsulClient } from "../client/consul-client.js";
import { ConsulError } from "../client/consul-error.js";
import { lagOf } from "./blocking-query.js";

export interface HeartbeatOptions {
  readonly client: Pick<ConsulClient, "ask" | "shown">;
  readonly clock: Clock;
  readonly random: Random;
  readonly path: string;
  /** After each answer and each failure. */
  readonly onSettled: () => void;
  /** The first answer after failures: what was held meanwhile may be held by nobody. */
  readonly onReturn: () => void;
}

/** Between two, in ms, less up to a fifth. */
const EVERY_MS = 5_000;
const TIMEOUT_MS = 5_000;

export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #closing = new AbortController();
  #failure: ConsulError | undefined;
  #lagMs: number | undefined;
  #timer: Timer | undefined;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  get failure(): ConsulError | undefined {
    return this.#failure;
  }

  /** As the server that answered last said; undefined where it did not. */
  get lagMs(): number | undefined {
    return this.#lagMs;
  }

  start(): void {
    void this.#beat();
  }

  close(): void {
    this.#timer?.cancel();
    this.#closing.abort();
  }

  async #beat(): Promise<void> {
    const { client, clock, random, path, onSettled, onReturn } = this.#options;
    const { signal } = this.#closing;
    const before = this.#failure;
    const late = new AbortController();
    const stop = (): void => late.abort();
    signal.addEventListener("abort", stop, { once: true });
    const giveUp = clock.after(TIMEOUT_MS, stop);
    try {
      const answer = await client.ask({
        path,
        query: { stale: "" },
        timeoutMs: 0,
        signal: late.signal,
        background: true,
      });
      this.#failure = undefined;
      this.#lagMs = lagOf(answer);
    } catch (error) {
      const found = error instanceof ConsulError ? error : new ConsulError("garbled", String(error), { cause: error });
      this.#failure = late.signal.aborted
        ? new ConsulError("unreachable", `${client.shown} did not answer within ${TIMEOUT_MS / 1_000} s`)
        : found;
    } finally {
      giveUp.cancel();
      signal.removeEventListener("abort", stop);
    }
    if (signal.aborted) return;
    onSettled();
    if (before !== undefined && this.#failure === undefined) onReturn();
    this.#timer = clock.after(EVERY_MS * (1 - random.next() / 5), () => void this.#beat());
  }
}
