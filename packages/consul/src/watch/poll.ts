/** A small question that is not held, every few seconds: for what Consul does not hold questions for. */

import type { Timer } from "@inmesh/core";
import type { ConsulError } from "../client/consul-error.js";
import { asConsulError, askWithin, lagOf, SPREAD_MS, type Watch, type WatchOptions, WITHDRAWN } from "./watch.js";

export interface PollOptions extends WatchOptions {
  /** The first answer after failures. @param since clock ms until when all was well */
  readonly onReturn?: (since: number) => void;
}

/** Between two, in ms, less up to a fifth, so that processes started together do not ask together. */
const EVERY_MS = 5_000;
const TIMEOUT_MS = 5_000;
/** Between two that were asked for, in ms. */
const LEAST_MS = 1_000;

export class Poll implements Watch {
  readonly #options: PollOptions;
  #answered = false;
  #failure: ConsulError | undefined;
  #lagMs: number | undefined;
  #asking: AbortController | undefined;
  #timer: Timer | undefined;
  #askedAt = 0;
  #dueAt = 0;
  #wellUntil = 0;
  #state: "new" | "open" | "closed" = "new";

  constructor(options: PollOptions) {
    this.#options = options;
  }

  get answered(): boolean {
    return this.#answered;
  }

  get failure(): ConsulError | undefined {
    return this.#failure;
  }

  get lagMs(): number | undefined {
    return this.#lagMs;
  }

  start(): void {
    if (this.#state !== "new") return;
    this.#state = "open";
    void this.#ask();
  }

  renew(): void {
    if (this.#state !== "open" || this.#failure === undefined || this.#asking !== undefined) return;
    const { clock, random } = this.#options;
    const now = clock.now();
    if (this.#dueAt - now > SPREAD_MS) this.#askIn(Math.max(this.#askedAt + LEAST_MS - now, SPREAD_MS * random.next()));
  }

  close(): void {
    this.#state = "closed";
    this.#timer?.cancel();
    this.#asking?.abort();
  }

  async #ask(): Promise<void> {
    const { client, clock, random, path, query, onAnswer, onSettled, onReturn } = this.#options;
    if (this.#failure === undefined) this.#wellUntil = clock.now();
    const failedBefore = this.#failure !== undefined;
    const asking = new AbortController();
    this.#asking = asking;
    this.#askedAt = clock.now();
    try {
      const request = { path, query: { ...query, stale: "" } };
      const answer = await askWithin(TIMEOUT_MS, this.#options, request, asking);
      await onAnswer(answer);
      this.#lagMs = lagOf(answer);
      this.#failure = undefined;
      this.#answered = true;
    } catch (error) {
      if (error !== WITHDRAWN) this.#failure = asConsulError(error, client.shown);
    }
    this.#asking = undefined;
    if (this.#state === "closed") return;
    this.#askIn(EVERY_MS * (1 - random.next() / 5));
    if (failedBefore && this.#failure === undefined) onReturn?.(this.#wellUntil);
    onSettled();
  }

  #askIn(waitMs: number): void {
    const { clock } = this.#options;
    this.#timer?.cancel();
    this.#dueAt = clock.now() + waitMs;
    this.#timer = clock.after(waitMs, () => void this.#ask());
  }
}
