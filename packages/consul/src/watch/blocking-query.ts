/**
 * One blocking query, asked again and again: the server holds each question until something changes. By the index rules:
 * only a good answer's index is used, an index that goes back or is missing starts over, and so does every failure, since
 * the server may have come back with other data.
 */

import type { Clock, Random, Timer } from "@inmesh/core";
import { backoffMs } from "@inmesh/core/internal";
import type { ConsulAnswer, ConsulClient } from "../client/consul-client.js";
import { ConsulError } from "../client/consul-error.js";
import { Pace } from "./pace.js";

export interface BlockingQueryOptions {
  readonly client: Pick<ConsulClient, "ask" | "shown">;
  readonly clock: Clock;
  readonly random: Random;
  /** Below `/v1`, as `path` makes it. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** A good answer. @returns whether it says anything new. @throws {ConsulError} `garbled` when it is none */
  readonly onAnswer: (answer: ConsulAnswer) => boolean | Promise<boolean>;
  /** After each answer and each failure: `failure` and `lagMs` are those of now. */
  readonly onSettled: () => void;
}

/** How long the server may hold a question, in ms, less up to a tenth, so that watches do not all end together. */
const WAIT_MS = 60_000;
/** The server adds up to a sixteenth of it; this long after that it will not answer any more. */
const SLACK_MS = 10_000;
/** For an answer that is not held, in ms. */
const AT_ONCE_MS = 10_000;
/** After failures. At most this long, so that everything is seen soon after the server's return. */
const BACKOFF = { baseMs: 1_000, maxMs: 4_000 };

export class BlockingQuery {
  readonly #options: BlockingQueryOptions;
  readonly #pace: Pace;
  #index: bigint | undefined;
  #failures = 0;
  #failure: ConsulError | undefined;
  #answered = false;
  #lagMs: number | undefined;
  #asking: AbortController | undefined;
  #timer: Timer | undefined;
  #state: "new" | "open" | "closed" = "new";

  constructor(options: BlockingQueryOptions) {
    this.#options = options;
    this.#pace = new Pace(options.clock);
  }

  /** Whether it ever had a good answer. */
  get answered(): boolean {
    return this.#answered;
  }

  /** Why the last question failed; undefined when it did not. */
  get failure(): ConsulError | undefined {
    return this.#failure;
  }

  /** How long the server that answered last has not heard of its leader, in ms. */
  get lagMs(): number | undefined {
    return this.#lagMs;
  }

  start(): void {
    if (this.#state !== "new") return;
    this.#state = "open";
    void this.#ask();
  }

  /** Gives up the question that is held and asks what is there now: its connection may be dead without saying so. */
  renew(): void {
    this.#index = undefined;
    this.#asking?.abort();
  }

  close(): void {
    this.#state = "closed";
    this.#timer?.cancel();
    this.#asking?.abort();
  }

  async #ask(): Promise<void> {
    const { clock, random, onSettled } = this.#options;
    let waitMs: number;
    try {
      const changed = await this.#question();
      this.#failures = 0;
      this.#failure = undefined;
      this.#answered = true;
      waitMs = this.#pace.next(changed);
    } catch (error) {
      if (this.#closed) return;
      this.#index = undefined;
      waitMs = this.#pace.next(true);
      if (error !== RENEWED) {
        this.#failure = asConsulError(error, this.#options.client.shown);
        this.#failures += 1;
        waitMs = Math.max(waitMs, backoffMs(BACKOFF, this.#failures, random));
      }
    }
    if (this.#closed) return;
    onSettled();
    if (this.#closed) return;
    if (waitMs === 0) void this.#ask();
    else this.#timer = clock.after(waitMs, () => void this.#ask());
  }

  get #closed(): boolean {
    return this.#state === "closed";
  }

  async #question(): Promise<boolean> {
    const { client, clock, random, path, query, onAnswer } = this.#options;
    const sent = this.#index;
    const heldMs = sent === undefined ? 0 : Math.round(WAIT_MS * (1 - random.next() / 10));
    const limitMs = heldMs === 0 ? AT_ONCE_MS : heldMs + heldMs / 16 + SLACK_MS;
    const asking = new AbortController();
    this.#asking = asking;
    let late = false;
    const giveUp = clock.after(limitMs, () => {
      late = true;
      asking.abort();
    });
    try {
      const answer = await client.ask({
        path,
        query: { ...query, stale: "", ...(sent !== undefined && { index: `${sent}`, wait: `${heldMs}ms` }) },
        ...{ timeoutMs: 0, signal: asking.signal, background: true },
      });
      const changed = await onAnswer(answer);
      if (this.#closed) throw RENEWED;
      this.#index = nextIndex(answer, sent);
      this.#lagMs = lagOf(answer);
      return changed;
    } catch (error) {
      if (late)
        throw new ConsulError("unreachable", `${client.shown} did not answer within ${Math.round(limitMs / 1_000)} s`);
      throw asking.signal.aborted ? RENEWED : error;
    } finally {
      giveUp.cancel();
      if (this.#asking === asking) this.#asking = undefined;
    }
  }
}

/** Stands for a question that was given up by us. */
const RENEWED = Symbol("renewed");

/** Undefined: start over. Never below one, on which nothing is ever held, and never one that goes back. */
function nextIndex({ headers }: ConsulAnswer, sent: bigint | undefined): bigint | undefined {
  const text = headers["x-consul-index"];
  if (typeof text !== "string" || !/^\d{1,20}$/.test(text)) return undefined;
  const index = BigInt(text);
  return index < 1n || (sent !== undefined && index < sent) ? undefined : index;
}

/** Absent where the server does not say: what streams has 0 and no known leader, always. */
export function lagOf({ headers }: ConsulAnswer): number | undefined {
  const lag = Number(headers["x-consul-lastcontact"] ?? Number.NaN);
  if (headers["x-consul-query-backend"] === "streaming" || !Number.isFinite(lag)) return undefined;
  return lag;
}

function asConsulError(error: unknown, shown: string): ConsulError {
  if (error instanceof ConsulError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new ConsulError("garbled", `${shown}: the answer cannot be understood: ${message}`, { cause: error });
}
