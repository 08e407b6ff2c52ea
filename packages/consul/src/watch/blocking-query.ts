/**
 * One blocking query, asked again and again: the server holds each question until something changes. By the index rules:
 * only a good answer's index is used, an index that goes back or is missing starts over, and so does every failure, since
 * the server may have come back with other data.
 */

import type { Timer } from "@inmesh/core";
import { backoffMs } from "@inmesh/core/internal";
import type { ConsulAnswer } from "../client/consul-client.js";
import type { ConsulError } from "../client/consul-error.js";
import { Pace } from "./pace.js";
import { asConsulError, askWithin, lagOf, SPREAD_MS, type Watch, type WatchOptions, WITHDRAWN } from "./watch.js";

export interface BlockingQueryOptions extends WatchOptions {
  /** Whether a failure says that there is nothing to ask for here: nothing more is asked then until `renew`. */
  readonly endsWith?: (failure: ConsulError) => boolean;
  /** Whether the next question is worth holding after an answer; else nothing more is asked until `renew`. @default always */
  readonly holds?: () => boolean;
}

/** How long the server may hold a question, in ms, less up to a tenth, so that watches do not all end together. */
const WAIT_MS = 60_000;
/** The server adds up to a sixteenth of it; this long after that it will not answer any more. */
const SLACK_MS = 10_000;
/** For an answer that is not held, in ms. */
const AT_ONCE_MS = 10_000;
/** After failures. At most this long, so that everything is seen soon after the server's return. */
const BACKOFF = { baseMs: 1_000, maxMs: 3_000 };

export class BlockingQuery implements Watch {
  readonly #options: BlockingQueryOptions;
  readonly #pace: Pace;
  #index: bigint | undefined;
  #failures = 0;
  #failure: ConsulError | undefined;
  #answered = false;
  #lagMs: number | undefined;
  #asking: AbortController | undefined;
  #timer: Timer | undefined;
  /** Clock ms of the next question, while none is out. */
  #dueAt = 0;
  #askedAt = 0;
  #state: "new" | "open" | "ended" | "closed" = "new";

  constructor(options: BlockingQueryOptions) {
    this.#options = options;
    this.#pace = new Pace(options.clock);
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

  /** Nothing is asked: there is nothing to ask for, or to hold a question for. */
  get resting(): boolean {
    return this.#state === "ended";
  }

  /** Of the last good answer; undefined after a failure, and where it cannot be used. */
  get index(): bigint | undefined {
    return this.#index;
  }

  start(): void {
    if (this.#state !== "new") return;
    this.#state = "open";
    void this.#ask();
  }

  renew(since: number): void {
    if (this.#state === "ended") {
      this.#state = "open";
      this.#index = undefined;
    } else if (this.#state !== "open") return;
    else if (this.#asking !== undefined) {
      if (this.#failure === undefined && this.#askedAt < since) this.#asking.abort(); // asked again without an index
      return;
    } else if (this.#failure === undefined || this.#dueAt - this.#options.clock.now() <= SPREAD_MS) return;
    this.#askIn(Math.max(this.#pace.next(true), SPREAD_MS * this.#options.random.next()));
  }

  close(): void {
    this.#state = "closed";
    this.#timer?.cancel();
    this.#asking?.abort();
  }

  async #ask(): Promise<void> {
    const { onSettled } = this.#options;
    let waitMs: number;
    try {
      const changed = await this.#question();
      this.#failures = 0;
      this.#failure = undefined;
      this.#answered = true;
      waitMs = this.#pace.next(changed);
      const { client, holds } = this.#options;
      const held = client.holds !== false && holds?.() !== false;
      if (this.#state === "open" && !held) this.#state = "ended";
    } catch (error) {
      if (this.#state === "closed") return;
      this.#index = undefined;
      waitMs = Math.max(this.#pace.next(true), error === WITHDRAWN ? 0 : this.#fail(error));
    }
    if (this.#state === "open") this.#askIn(waitMs);
    onSettled();
  }

  #askIn(waitMs: number): void {
    const { clock } = this.#options;
    this.#timer?.cancel();
    this.#dueAt = clock.now() + waitMs;
    if (waitMs === 0) void this.#ask();
    else this.#timer = clock.after(waitMs, () => void this.#ask());
  }

  /** @returns ms to wait before the next question */
  #fail(error: unknown): number {
    const { client, random, endsWith } = this.#options;
    const failure = asConsulError(error, client.shown);
    if (endsWith?.(failure)) {
      this.#state = "ended";
      this.#answered = true;
      this.#failure = undefined;
      return 0;
    }
    this.#failure = failure;
    this.#failures += 1;
    return backoffMs(BACKOFF, this.#failures, random);
  }

  async #question(): Promise<boolean> {
    const { clock, random, path, query, onAnswer } = this.#options;
    const sent = this.#index;
    const heldMs = sent === undefined ? 0 : Math.round(WAIT_MS * (1 - random.next() / 10));
    const limitMs = heldMs === 0 ? AT_ONCE_MS : heldMs + heldMs / 16 + SLACK_MS;
    const held = sent === undefined ? {} : { index: `${sent}`, wait: `${heldMs}ms` };
    const asking = new AbortController();
    this.#asking = asking;
    this.#askedAt = clock.now();
    try {
      const request = { path, query: { ...query, stale: "", ...held } };
      const answer = await askWithin(limitMs, this.#options, request, asking);
      const changed = await onAnswer(answer);
      if (asking.signal.aborted) throw WITHDRAWN;
      this.#index = nextIndex(answer, sent);
      this.#lagMs = lagOf(answer);
      return changed;
    } finally {
      this.#asking = undefined;
    }
  }
}

/** Undefined: start over. Never below one, on which nothing is ever held, and never one that goes back. */
export function nextIndex({ headers }: ConsulAnswer, sent?: bigint): bigint | undefined {
  const text = headers["x-consul-index"];
  if (typeof text !== "string" || !/^\d{1,20}$/.test(text)) return undefined;
  const index = BigInt(text);
  return index < 1n || (sent !== undefined && index < sent) ? undefined : index;
}
