/**
 * The way to one server: a stream, made anew whenever it is lost. After a stream that brought an answer the next one is tried
 * at once (gRFC A57); else ever later, counted from when the last one was begun.
 */

import type { Clock, Random, Timer } from "@inmesh/core";
import { backoffMs } from "@inmesh/core/internal";
import { AnswerReader } from "../cache/answer-reader.js";
import type { TypeCache } from "../cache/type-cache.js";
import type { AnswerQueue } from "./answer-queue.js";
import { DeltaSession } from "./delta-session.js";
import type { AdsAnswer } from "./messages.js";
import type { AdsSession } from "./session.js";
import { SotwSession } from "./sotw-session.js";
import type { AdsMode, AdsStream, AdsTransport } from "./transport.js";

export interface AdsLinkOptions {
  readonly transport: AdsTransport;
  readonly mode: AdsMode;
  readonly repeatsNames: boolean;
  readonly node: Uint8Array;
  readonly clock: Clock;
  readonly random: Random;
  readonly queue: AnswerQueue;
  /** Of everything that is wanted, in the order in which it is asked for. */
  readonly caches: () => Iterable<TypeCache>;
  /** By URL as it is in answers. */
  readonly cacheOf: (typeUrl: string) => TypeCache | undefined;
  /** How long a name may stay without an answer, in ms. */
  readonly patienceMs: number;
  /** Whether silence means that there is none, and not only that the server is slow (gRFC A88). */
  readonly silenceIsAbsence: boolean;
  readonly events: AdsLinkEvents;
}

export interface AdsLinkEvents {
  /** The server answered, or has kept a stream open for a while: it is there. */
  onServing(link: AdsLink, controlPlane: string | undefined): void;
  /** The stream is gone. @param served whether it was serving */
  onLost(link: AdsLink, reason: string, served: boolean): void;
  /** Something is not as the protocol says; once for each text. */
  onOddity(text: string): void;
}

const BACKOFF = { baseMs: 1_000, maxMs: 30_000 };

/** A stream that lived this long without an answer serves: a server has nothing to say to those who know all already. */
const SETTLED_MS = 1_000;

interface Attempt {
  readonly startedAt: number;
  readonly session: AdsSession;
  readonly stream: AdsStream;
  readonly timers: Set<Timer>;
  open: boolean;
  serving: boolean;
  /** Messages that are not worked through. */
  waiting: number;
  ended: boolean;
}

export class AdsLink {
  readonly #options: AdsLinkOptions;
  readonly #versions = new Map<string, string>();
  readonly #changed = new Set<TypeCache>();
  #attempt: Attempt | undefined;
  #retry: Timer | undefined;
  #failures = 0;
  #closed = false;
  #flushing = false;

  constructor(options: AdsLinkOptions) {
    this.#options = options;
  }

  get server(): string {
    return this.#options.transport.server;
  }

  get isServing(): boolean {
    return this.#attempt?.serving === true;
  }

  /** Tries in a row that brought no answer. */
  get failures(): number {
    return this.#failures;
  }

  start(): void {
    if (this.#attempt === undefined && this.#retry === undefined && !this.#closed) this.#connect();
  }

  /** What is wanted of a type is not what it was; several changes of one turn are one request. */
  subscribe(cache: TypeCache): void {
    this.#changed.add(cache);
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      const changed = [...this.#changed];
      this.#changed.clear();
      for (const each of changed) this.#send(each);
    });
  }

  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    this.#retry = undefined;
    const attempt = this.#attempt;
    this.#attempt = undefined;
    if (attempt === undefined) return;
    end(attempt);
    attempt.stream.cancel();
  }

  #connect(): void {
    this.#retry = undefined;
    const { transport, mode, clock, node, repeatsNames } = this.#options;
    const send = (bytes: Uint8Array) => {
      if (!attempt.ended) attempt.stream.send(bytes);
    };
    const session =
      mode === "sotw"
        ? new SotwSession({ node, send, versions: this.#versions })
        : new DeltaSession({ node, send, repeatsNames });
    const attempt: Attempt = {
      startedAt: clock.now(),
      session,
      stream: transport.open(mode, {
        onOpen: () => this.#opened(attempt),
        onMessage: (bytes) => this.#received(attempt, bytes),
        onEnd: (reason) => this.#ended(attempt, reason),
      }),
      timers: new Set(),
      open: false,
      serving: false,
      waiting: 0,
      ended: false,
    };
    this.#attempt = attempt;
  }

  #opened(attempt: Attempt): void {
    if (attempt.ended) return;
    attempt.open = true;
    this.#after(attempt, SETTLED_MS, () => this.#serves(attempt, undefined));
    for (const cache of this.#options.caches()) this.#send(cache);
  }

  #send(cache: TypeCache): void {
    const attempt = this.#attempt;
    if (attempt?.open !== true || attempt.ended) {
      cache.forgetUnwanted();
      return;
    }
    const asked = attempt.session.subscribe(cache);
    const { wanted, type } = cache;
    // The last name of such a type stays with the server: see SotwSession.
    if (!type.wholeState || wanted.all || wanted.names.size > 0) cache.forgetUnwanted();
    const open = asked.filter((name) => cache.entry(name)?.sent === undefined);
    if (open.length === 0) return;
    const { patienceMs, silenceIsAbsence } = this.#options;
    this.#after(attempt, patienceMs, () => cache.giveUp(open, patienceMs, silenceIsAbsence));
  }

  #received(attempt: Attempt, bytes: Uint8Array): void {
    if (attempt.ended) return;
    const since = this.#options.clock.now();
    let answer: AdsAnswer;
    try {
      answer = attempt.session.decode(bytes);
    } catch (error) {
      attempt.stream.cancel();
      this.#ended(attempt, `an answer of the server cannot be read: ${(error as Error).message}`); // a WireError
      return;
    }
    this.#serves(attempt, answer.controlPlane);
    if (attempt.ended) return;
    const cache = this.#options.cacheOf(answer.typeUrl);
    if (cache === undefined) {
      this.#options.events.onOddity(
        `the server sends ${answer.typeUrl || "a type without a name"}, which nobody asked for`,
      );
      return;
    }
    attempt.waiting += 1;
    if (attempt.waiting === 1) attempt.stream.pause();
    const reader = new AnswerReader(cache, answer, attempt.session.answersAreWhole);
    const work = {
      get cancelled() {
        return attempt.ended;
      },
      get done() {
        return reader.done;
      },
      step: () => reader.step(),
      finish: () => {
        const changes = cache.commit(reader, answer);
        attempt.session.acknowledge(cache, answer, reader.refusal);
        cache.count(reader.refusal !== undefined, bytes.length);
        cache.tell(changes);
        attempt.waiting -= 1;
        if (attempt.waiting === 0 && !attempt.ended) attempt.stream.resume();
      },
    };
    this.#options.queue.add(work, since);
  }

  #serves(attempt: Attempt, controlPlane: string | undefined): void {
    if (attempt.ended || (attempt.serving && controlPlane === undefined)) return;
    attempt.serving = true;
    this.#failures = 0;
    this.#options.events.onServing(this, controlPlane);
  }

  #ended(attempt: Attempt, reason: string): void {
    if (attempt.ended) return;
    end(attempt);
    if (this.#attempt !== attempt) return;
    this.#attempt = undefined;
    const { clock, random, events } = this.#options;
    if (!attempt.serving) this.#failures += 1;
    const pauseMs = backoffMs(BACKOFF, Math.max(1, this.#failures), random);
    const waitMs = Math.max(0, attempt.startedAt + pauseMs - clock.now());
    this.#retry = clock.after(waitMs, () => this.#connect());
    events.onLost(this, reason, attempt.serving);
  }

  #after(attempt: Attempt, ms: number, fn: () => void): void {
    const timer = this.#options.clock.after(ms, () => {
      attempt.timers.delete(timer);
      fn();
    });
    attempt.timers.add(timer);
  }
}

function end(attempt: Attempt): void {
  attempt.ended = true;
  for (const timer of attempt.timers) timer.cancel();
  attempt.timers.clear();
}
