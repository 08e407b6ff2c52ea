/**
 * One request in the mesh, from the caller's first word to the last byte of its answer.
 *
 * Life: `engine.start(call)` runs the stack downwards; each attempt reports to the call; the call ends exactly once,
 * in `finish`. No promise stands between the transport and the caller: an answer's head and its first bytes arrive in
 * the same turn of the parser, so a decision about the head must be taken before that turn ends
 * (docs/design/2026-11-21-stack.md).
 */

import type { Destination, HeaderOps, MatchRequest, Route, Snapshot, VirtualHost } from "@inmesh/model";
import type { ClusterRuntime } from "../cluster/cluster-runtime.js";
import type { EndpointState } from "../cluster/endpoint-state.js";
import { MeshError } from "../errors.js";
import { WheelNode } from "../runtime/timer-wheel.js";
import type { Engine } from "../stack/engine.js";
import type { Stack } from "../stack/stack.js";
import type { Attempt, HeaderReader, Outcome } from "./attempt.js";
import { classifyFailure } from "./classify.js";
import type { InboundContext } from "./context.js";
import type { Exchange } from "./exchange.js";
import { orderedOps } from "./request-edit.js";

/** RFC 9110 §9.2.2. */
const IDEMPOTENT = new Set(["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"]);

/** Why a failed attempt was not tried again; for errors, logs and `inmesh dev`'s story. */
export type NoRetryReason =
  | "attempts_exhausted"
  | "not_retriable"
  | "not_idempotent"
  | "body_not_replayable"
  | "answer_begun"
  | "deadline"
  | "aborted";

export class Call extends WheelNode implements MatchRequest {
  readonly exchange: Exchange;
  method: string;
  /** With query. */
  path: string;
  authority: string;
  readonly scheme: string;
  /** As addressed: lower-case name without port, and the port. They choose the virtual host. */
  readonly host: string;
  readonly port: number;
  /** Flat `[name, value, …]` without `host`; replaced, never mutated. */
  headers: readonly string[];

  engine!: Engine; // set by engine.start, before anything reads it
  context: InboundContext | undefined = undefined;
  snapshot: Snapshot | undefined = undefined;
  virtualHost: VirtualHost | undefined = undefined;
  route: Route | undefined = undefined;
  stack: Stack | undefined = undefined;
  destination: Destination | undefined = undefined;
  cluster: ClusterRuntime | undefined = undefined;

  startedAt = 0;
  endedAt = 0;
  /** Clock ms by which the caller needs its answer; Infinity for never. */
  deadlineAt = Number.POSITIVE_INFINITY;
  /** True while the deadline is the inbound request's and not the route's timeout. */
  deadlineInherited = false;

  attempt: Attempt | undefined = undefined;
  attempts = 0;
  /** Endpoints tried so far; undefined until the first attempt failed. */
  tried: EndpointState[] | undefined = undefined;
  /** Attempts that failed before the last one, for the story. */
  earlier: Attempt[] | undefined = undefined;
  /** A request on a connection that the peer had closed was sent again, at most once. */
  replayed = false;
  /** Settles the retry loop's current attempt; set by the retry stage only. */
  pending: { resolve(): void; reject(error: Error): void } | undefined = undefined;
  noRetry: NoRetryReason | undefined = undefined;

  /** The caller has begun to get its answer. */
  answered = false;
  ended = false;
  /** Status the caller got; 0 for none. */
  status = 0;
  error: unknown = undefined;
  /** Fault injected on purpose, in ms of delay; -1 for an abort; 0 for none. */
  fault = 0;
  /** Cancels what the call waits for outside an attempt: config, an injected delay, a back-off. */
  cancelWait: ((reason: unknown) => void) | undefined = undefined;

  constructor(
    exchange: Exchange,
    method: string,
    scheme: string,
    host: string,
    port: number,
    authority: string,
    path: string,
    headers: readonly string[],
  ) {
    super();
    this.exchange = exchange;
    this.method = method;
    this.scheme = scheme;
    this.host = host;
    this.port = port;
    this.authority = authority;
    this.path = path;
    this.headers = headers;
  }

  header(name: string): string | readonly string[] | undefined {
    if (name === ":authority" || name === "host") return this.authority;
    if (name === ":path") return this.path;
    if (name === ":method") return this.method;
    if (name === ":scheme") return this.scheme;
    let found: string | string[] | undefined;
    const headers = this.headers;
    for (let index = 0; index < headers.length; index += 2) {
      const key = headers[index]!; // flat pairs: both indices are in range
      if (key.length !== name.length || (key !== name && key.toLowerCase() !== name)) continue;
      const value = headers[index + 1]!;
      if (found === undefined) found = value;
      else if (typeof found === "string") found = [found, value];
      else found.push(value);
    }
    return found;
  }

  /** Sending it twice does what sending it once does (RFC 9110 §9.2.2), or the caller says so with Idempotency-Key. */
  get idempotent(): boolean {
    return IDEMPOTENT.has(this.method) || this.header("idempotency-key") !== undefined;
  }

  /** Header operations of the answer, in the order in which they apply. */
  get responseOps(): readonly HeaderOps[] {
    const { route, destination } = this;
    return route === undefined ? [] : orderedOps(route, route.responseHeaders, destination?.responseHeaders);
  }

  /** The caller went away. Everything the call holds is freed within this tick. */
  abort(reason: unknown): void {
    if (this.ended) return;
    this.noRetry = "aborted";
    this.#settleAttempt("neutral", reason);
    this.finish(reason);
    this.exchange.fail(reason);
  }

  /** An answer of the mesh's own: redirect, direct response. */
  reply(status: number, headers: readonly string[], body: string | Uint8Array | undefined): void {
    if (this.ended) return;
    this.answered = true;
    this.status = status;
    this.finish(undefined);
    this.exchange.reply({ status, headers, body });
  }

  /** The call failed. The adapter makes the answer. */
  fail(error: unknown): void {
    if (this.ended) return;
    if (!this.answered && error instanceof MeshError) this.status = error.status;
    this.finish(error);
    this.exchange.fail(error);
  }

  // ---- what attempts report ----

  attemptAnswered(attempt: Attempt, header: HeaderReader): boolean {
    const now = this.engine.clock.now();
    attempt.headAt = now;
    if (attempt.wheelTick >= 0) this.engine.wheel.remove(attempt); // perTryTimeout runs until the head only
    const retry = this.stack?.retry;
    if (retry !== undefined && retry.wantsAnswer(this, attempt, header)) {
      this.#settle(attempt, "failure", undefined, now);
      this.#noteFailed(attempt);
      retry.again(this, attempt, undefined);
      return false;
    }
    this.answered = true;
    this.status = attempt.status;
    const { pending } = this;
    if (pending !== undefined) {
      this.pending = undefined;
      pending.resolve(); // the retry loop is done; the body is not
    }
    return true;
  }

  attemptCompleted(attempt: Attempt): void {
    const now = this.engine.clock.now();
    this.#settle(attempt, attempt.status >= 500 ? "failure" : "success", undefined, now);
    this.finishAt(undefined, now);
  }

  attemptFailed(attempt: Attempt, cause: unknown): void {
    const phase = attempt.phase;
    const failure = classifyFailure(attempt, cause);
    this.#settle(attempt, "failure", failure, this.engine.clock.now());
    if (phase === "answered" || this.answered) {
      this.noRetry = "answer_begun";
      return this.fail(failure);
    }
    if (failure.code === "CONNECT_FAILED") this.cluster?.refused(attempt.endpoint);
    this.#noteFailed(attempt);
    this.#next(attempt, failure, attempt.reused && failure.code === "UPSTREAM_RESET");
  }

  attemptTimedOut(attempt: Attempt): void {
    if (attempt.phase === "settled") return;
    const limit = this.route?.retry.perTryTimeoutMs ?? 0;
    const failure = new MeshError(
      "PER_TRY_TIMEOUT",
      `attempt ${attempt.number} to ${attempt.endpoint.endpoint.id} had no answer after ${limit} ms (perTryTimeout)`,
      { ...this.place, origin: "remote" },
    );
    this.#settle(attempt, "failure", failure, this.engine.clock.now());
    attempt.abort?.(failure);
    this.#noteFailed(attempt);
    this.#next(attempt, failure, false);
  }

  /** The deadline passed. */
  override onTimeout(): void {
    if (this.ended) return;
    this.noRetry = "deadline";
    const error = this.engine.deadlineError(this);
    this.#settleAttempt("failure", error);
    this.fail(error);
  }

  /** Nothing of the mesh's after all: stops what was armed, counts nothing. */
  leave(): void {
    this.ended = true;
    if (this.wheelTick >= 0) this.engine.wheel.remove(this);
    this.exchange.passThrough();
  }

  get place(): { cluster?: string; route?: string; endpoint?: string; attempt?: number } {
    const attempt = this.attempt;
    return {
      ...(this.cluster && { cluster: this.cluster.config.name }),
      ...(this.route && { route: this.route.name }),
      ...(attempt && { endpoint: attempt.endpoint.endpoint.id, attempt: attempt.number }),
    };
  }

  finish(error: unknown): void {
    this.finishAt(error, this.engine.clock.now());
  }

  /** Exactly once per call. */
  finishAt(error: unknown, now: number): void {
    if (this.ended) return;
    this.ended = true;
    this.endedAt = now;
    this.error = error;
    if (this.wheelTick >= 0) this.engine.wheel.remove(this);
    const cancelWait = this.cancelWait;
    if (cancelWait !== undefined) {
      this.cancelWait = undefined;
      cancelWait(error ?? new Error("the call has ended"));
    }
    const pending = this.pending;
    if (pending !== undefined) {
      this.pending = undefined;
      pending.resolve(); // the retry loop has nothing left to do
    }
    this.engine.ended(this);
  }

  /** After a failed attempt that brought no answer: replay, retry, or give up. */
  #next(attempt: Attempt, failure: MeshError, stale: boolean): void {
    if (stale && !this.replayed && this.idempotent && this.exchange.canReplay()) {
      // The peer had closed the kept-alive connection: not a failure of the service, so no retry is spent (pitfalls P2).
      this.replayed = true;
      return this.stack!.attempt(this, attempt.number); // an attempt exists, so the stack does
    }
    const retry = this.stack?.retry;
    if (retry?.wantsFailure(this, attempt, failure)) return retry.again(this, attempt, failure);
    this.fail(failure);
  }

  #noteFailed(attempt: Attempt): void {
    this.tried ??= [];
    this.tried.push(attempt.endpoint);
    this.earlier ??= [];
    this.earlier.push(attempt);
  }

  #settleAttempt(outcome: Outcome, reason: unknown): void {
    const attempt = this.attempt;
    if (attempt === undefined || attempt.phase === "settled") return;
    this.#settle(attempt, outcome, reason, this.engine.clock.now());
    attempt.abort?.(reason instanceof Error ? reason : new Error("the caller aborted", { cause: reason }));
  }

  #settle(attempt: Attempt, outcome: Outcome, error: unknown, now: number): void {
    attempt.phase = "settled";
    attempt.endedAt = now;
    attempt.error = error;
    if (attempt.wheelTick >= 0) this.engine.wheel.remove(attempt);
    this.cluster?.release(attempt, outcome, now);
    const observers = this.stack?.attemptEnded;
    if (observers !== undefined) for (const observe of observers) observe(attempt, outcome);
  }
}
