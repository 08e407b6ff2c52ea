/** A small question that is not held, every few seconds: for what Consul does not hold questions for. */

import type { Timer } from "@inmesh/core";
import type { ConsulError } from "../client/consul-error.js";
import { asConsulError, askWithin, lagOf, type Watch, type WatchOptions, WITHDRAWN } from "./watch.js";

export interface PollOptions extends WatchOptions {
  /** The first answer after failures. */
  readonly onReturn?: () => void;
}

/** Between two, in ms, less up to a fifth, so that processes started together do not ask together. */
const EVERY_MS = 5_000;
const TIMEOUT_MS = 5_000;

export class Poll implements Watch {
  readonly #options: PollOptions;
  #answered = false;
  #failure: ConsulError | undefined;
  #lagMs: number | undefined;
  #asking: AbortController | undefined;
  #timer: Timer | undefined;
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

  /** Nothing to do: the next question is never far. */
  renew(): void {}

  close(): void {
    this.#state = "closed";
    this.#timer?.cancel();
    this.#asking?.abort();
  }

  async #ask(): Promise<void> {
    const { client, clock, random, path, query, onAnswer, onSettled, onReturn } = this.#options;
    const failedBefore = this.#failure !== undefined;
    const asking = new AbortController();
    this.#asking = asking;
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
    if (this.#state === "closed") return;
    this.#timer = clock.after(EVERY_MS * (1 - random.next() / 5), () => void this.#ask());
    if (failedBefore && this.#failure === undefined) onReturn?.();
    onSettled();
  }
}
