/**
 * One request in the mesh, from the caller's first word to the last byte of its answer.
 *
 * Life: `engine.start(call)` runs the stack downwards; each attempt reports to the call; the call ends exactly once,
 * in `finish`. No promise stands between the transport and the caller: an answer's head and its first bytes arrive in
 * the same turn of the parser, so a decision about the head must be taken before that turn ends
 * (docs/design/2026-11-21-stack.md). More than 400 lines, because each of these steps may be the one that ends the call.
 */

import type { Destination, DroppedShare, HeaderOps, MatchRequest, Route, Snapshot, VirtualHost } from "@inmesh/model";
import type { ClusterRuntime } from "../cluster/cluster-runtime.js";
import type { EndpointState } from "../cluster/endpoint-state.js";
import { type ErrorPlace, MeshError } from "../errors.js";
import { WheelNode } from "../runtime/timer-wheel.js";
import type { Engine } from "../stack/engine.js";
import type { Stack } from "../stack/stack.js";
import { ledgerSoFar, timeStory } from "../telemetry/server-timing.js";
import type { TraceSpan } from "../telemetry/tracing.js";
import type { Attempt, HeaderReader, Outcome } from "./attempt.js";
import { withoutBlanks } from "./blanks.js";
import type { CallSession } from "./call-session.js";
import { answerOutcome, classifyFailure, isPeersFault, isPerhapsLateness, isRefusal } from "./classify.js";
import type { InboundContext } from "./context.js";
import { corsOps } from "./cors.js";
import type { Exchange } from "./exchange.js";
import { isServerFault, statusMeant } from "./grpc-status.js";
import type { Hedge } from "./hedge.js";
import { orderedOps } from "./request-edit.js";
import { attemptsStory, noRetryStory, requestLine } from "./story.js";
import type { SpanPlace, Tries } from "./tries.js";

/** RFC 9110 §9.2.2. */
const IDEMPOTENT = new Set(["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"]);

/** Why the last attempt, having failed, was not followed by another; for errors, logs and `inmesh dev`'s story. */
export type NoRetryReason =
  | "attempts_exhausted"
  | "tried_before"
  | "retries_off"
  | "wrong_peer"
  | "not_retriable"
  | "not_idempotent"
  | "body_not_replayable"
  | "retried_above"
  | "retried_below"
  | "retry_after"
  | "pushed_back"
  | "retry_rate"
  | "request_budget"
  | "answer_begun"
  | "retry_budget"
  | "breaker_open"
  | "overloaded"
  | "deadline"
  | "aborted";

export class Call extends WheelNode implements MatchRequest {
  /** The adapter's half. Replaced by one that does nothing when the call has ended, so that the list of last requests keeps no body alive. */
  exchange: Exchange;
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
  /** Clock ms when it went on its way: `startedAt`, or the end of what it had to wait for before its first attempt. */
  readyAt = 0;
  endedAt = 0;
  /** Clock ms by which the caller needs its answer; Infinity for never. */
  deadlineAt = Number.POSITIVE_INFINITY;
  /** True while the deadline is the inbound request's, or the caller's own, and not the route's timeout. */
  deadlineInherited = false;

  /** Of what ties it to one endpoint; undefined for most calls. */
  hash: bigint | undefined = undefined;
  /** For the caller, who did not bring the cookie that ties its requests to one endpoint. */
  affinityCookie: HeaderOps | undefined = undefined;

  /** Of a rule that keeps sessions; undefined for most calls. */
  session: CallSession | undefined = undefined;

  attempt: Attempt | undefined = undefined;
  attempts = 0;
  /** Attempts of the same call before this one, by an application or a library that tries again itself. */
  spent = 0;
  /** Given by an adapter that knows who belongs together; besides the context's. */
  tries: Tries | undefined = undefined;
  /** Endpoints tried so far; undefined until the first attempt failed. */
  tried: EndpointState[] | undefined = undefined;
  /** Of those, some that were somebody else than they should be: it goes to none of them again. */
  wrongPeers: EndpointState[] | undefined = undefined;
  /** Attempts that failed before the last one, for the story. */
  earlier: Attempt[] | undefined = undefined;
  /** A request on a connection that the peer had closed was sent again, at most once. */
  replayed = false;
  /** Attempts beside each other; undefined unless policy asks for them. */
  hedge: Hedge | undefined = undefined;
  /** Settles the retry loop's current attempt; set by the retry stage only. */
  pending: { resolve(): void; reject(error: Error): void } | undefined = undefined;
  /** What of its cluster's requests is dropped, once it was drawn whether this one is. */
  drawnFor: readonly DroppedShare[] | undefined = undefined;
  /** What the caller got because a circuit breaker was open. */
  fallback: "" | "response" | "stale" | "destination" = "";
  /** Has a place among its cluster's retries: from the decision to try again until there is an answer. */
  retrying = false;
  /** The last answer asked for a wait of this many ms before another attempt; 0 for none. */
  retryAfterMs = 0;
  /** Undefined after a success and while another attempt follows. */
  noRetry: NoRetryReason | undefined = undefined;

  /** The caller has begun to get its answer. */
  answered = false;
  ended = false;
  /** Status the caller got; 0 for none. */
  status = 0;
  error: unknown = undefined;
  /** The span of the call before that this one repeats; undefined for most calls. */
  repeats: SpanPlace | undefined = undefined;
  /** One of ours, while somebody traces. */
  span: TraceSpan | undefined = undefined;
  /** Fault injected on purpose, in ms of delay; -1 for an abort; 0 for none. */
  fault = 0;
  /** Of that, what was waited for; an abort may come after a delay. */
  faultMs = 0;
  /** Cancels what the call waits for outside an attempt: config, an injected delay, a back-off. */
  cancelWait: (() => void) | undefined = undefined;

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
      const value = withoutBlanks(headers[index + 1]!);
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

  /** Made of another call, for a mirror. */
  get isCopy(): boolean {
    return false;
  }

  /** Header operations of the answer, in the order in which they apply. */
  get responseOps(): readonly HeaderOps[] {
    const { route, destination, affinityCookie, session } = this;
    if (route === undefined) return NONE;
    const ops = this.#ruleOps(route, destination);
    if (affinityCookie === undefined && session === undefined) return ops;
    const mark = session?.mark(this);
    return [...ops, ...(affinityCookie ? [affinityCookie] : []), ...(mark ? [mark] : [])];
  }

  #ruleOps(route: Route, destination: Destination | undefined): readonly HeaderOps[] {
    const ofDestination = destination?.responseHeaders;
    const { responseHeaders } = route;
    const cors = this.fault < 0 ? undefined : route.cors; // an injected abort comes before the CORS filter
    if (responseHeaders === undefined && ofDestination === undefined && cors === undefined) return NONE;
    const ops = orderedOps(responseHeaders, ofDestination);
    return cors === undefined ? ops : [...ops, corsOps(cors, this)];
  }

  /** The caller went away. Everything the call holds is freed within this tick. */
  abort(reason: unknown): void {
    if (this.ended) return;
    this.noRetry = "aborted";
    this.#end(reason, "neutral");
  }

  /** An answer of the mesh's own: redirect, direct response. */
  reply(status: number, headers: readonly string[], body: string | Uint8Array | undefined): void {
    if (this.ended) return;
    const { exchange } = this;
    this.answered = true;
    this.status = status;
    this.#finish(undefined, "neutral", this.engine.clock.now());
    exchange.reply({ status, headers, body });
  }

  /** The call failed. The adapter makes the answer. */
  fail(error: unknown): void {
    if (this.ended) return;
    if (!this.answered && error instanceof MeshError) this.status = error.status;
    this.#end(error, "neutral");
  }

  /** Nothing of the mesh's after all: stops what was armed, counts nothing. */
  leave(): void {
    if (this.ended) return;
    const { exchange } = this;
    this.ended = true;
    if (this.wheelTick >= 0) this.engine.wheel.remove(this);
    this.forget();
    exchange.passThrough();
  }

  /** Lets go of what a call that is over needs no more. */
  forget(): void {
    this.exchange = NOWHERE;
    this.context = undefined;
    this.snapshot = undefined;
    this.span = undefined;
    const { attempt } = this;
    if (attempt === undefined) return;
    attempt.header = undefined;
    attempt.trailer = undefined;
  }

  /** Where it is, for errors. */
  get place(): ErrorPlace {
    const { cluster, route, attempt } = this;
    return {
      ...(cluster && { cluster: cluster.config.name }),
      ...(route && { route: route.name }),
      ...(attempt && { endpoint: attempt.endpoint.endpoint.id, attempt: attempt.number }),
    };
  }

  // ---- what attempts report ----

  attemptAnswered(attempt: Attempt, header: HeaderReader): boolean {
    const now = this.engine.clock.now();
    attempt.headAt = now;
    attempt.meant = this.cluster!.judges ? statusMeant(this, attempt.status, header) : attempt.status; // it has a cluster
    if (attempt.wheelTick >= 0) this.engine.wheel.remove(attempt); // perTryTimeout runs until the head only
    const retry = this.stack!.retry; // an attempt exists, so the stack does
    const { hedge } = this;
    if (
      hedge?.hasOthers(attempt) === true &&
      (attempt.status >= 500 || retry?.dislikes(this, attempt, header) === true)
    ) {
      this.#settle(attempt, attempt.status === 200 ? "failure" : answerOutcome(attempt.meant), undefined, now);
      this.#noteTried(attempt);
      return false; // a better one may come
    }
    if (retry !== undefined) {
      if (retry.wantsAnswer(this, attempt, header)) {
        // A 200 is thrown away only for the gRPC failure it carries.
        this.#settle(attempt, attempt.status === 200 ? "failure" : answerOutcome(attempt.meant), undefined, now);
        this.#noteTried(attempt);
        retry.again(this, attempt, undefined);
        return false;
      }
    } else if (attempt.status >= 500 || isServerFault(attempt.grpcStatus)) this.noRetry = "retries_off";
    this.answered = true;
    this.status = attempt.status;
    if (hedge !== undefined) this.#dropOthers(hedge, attempt, now);
    if (this.retrying) this.cluster!.limits.freeRetry(this); // an attempt exists, so its cluster does
    const { pending } = this;
    if (pending !== undefined) {
      this.pending = undefined;
      pending.resolve(); // the retry loop is done; the body is not
    }
    return true;
  }

  attemptCompleted(attempt: Attempt): void {
    const now = this.engine.clock.now();
    // gRPC mostly says behind its messages what became of them.
    if (attempt.trailer !== undefined && this.cluster!.judges) {
      attempt.meant = statusMeant(this, attempt.status, attempt.trailer); // it has a cluster
    }
    this.#settle(attempt, answerOutcome(attempt.meant), undefined, now);
    this.#finish(undefined, "neutral", now);
  }

  attemptFailed(attempt: Attempt, cause: unknown): void {
    const failure = classifyFailure(attempt, cause);
    const now = this.engine.clock.now();
    const late = isPerhapsLateness(failure) && this.engine.stalls.spoilt(attempt.startedAt, now);
    if (this.answered) {
      this.#settle(attempt, late ? "neutral" : "failure", failure, now);
      this.noRetry = "answer_begun";
      return this.fail(this.#told(failure));
    }
    const replay = this.#mayReplay(attempt, failure);
    const refused = !late && isRefusal(failure);
    const blamed = !replay && !late && !attempt.leaving && isPeersFault(failure);
    this.#settle(attempt, blamed ? "failure" : "neutral", failure, now);
    if (refused) this.cluster?.refused(attempt);
    this.#noteTried(attempt);
    if (!replay) return this.#next(attempt, failure);
    // The peer had closed the kept-alive connection, or is about to: not a failure of the service, so no retry is spent (pitfalls P2).
    this.replayed = true;
    this.stack!.attempt(this, attempt.number); // an attempt exists, so the stack does
  }

  attemptTimedOut(attempt: Attempt): void {
    const { abort } = attempt;
    const limitMs = this.route?.retry.perTryTimeoutMs ?? 0;
    const failure = new MeshError(
      "PER_TRY_TIMEOUT",
      `attempt ${attempt.number} to ${attempt.endpoint.endpoint.id} had no answer within ${limitMs} ms (perTryTimeout)`,
      { ...this.place, origin: "remote" },
    );
    const now = this.engine.clock.now();
    this.#settle(attempt, this.#timedOutcome(attempt, now), failure, now);
    abort?.(failure);
    this.#noteTried(attempt);
    this.#next(attempt, failure);
  }

  /** The deadline passed. */
  override onTimeout(): void {
    if (this.ended) return;
    this.noRetry = "deadline";
    const error = this.#deadlineError();
    if (!this.answered) this.status = error.status;
    // An inherited deadline may have been used up elsewhere: the endpoint is not to blame.
    const { attempt } = this;
    const judged = attempt !== undefined && !this.deadlineInherited;
    this.#end(error, judged ? this.#timedOutcome(attempt, this.engine.clock.now()) : "neutral");
  }

  /** Time is up for an attempt. That says nothing of its endpoint when it waited for a place here, or for our own loop. */
  #timedOutcome({ waits, startedAt }: Attempt, now: number): Outcome {
    return waits || this.engine.stalls.spoilt(startedAt, now) ? "neutral" : "failure";
  }

  // ---- ending ----

  /** Exactly once, when nothing can change any more. */
  protected over(): void {
    this.engine.ended(this);
  }

  protected release(attempt: Attempt, outcome: Outcome, now: number): void {
    this.cluster!.release(attempt, outcome, now); // an attempt exists, so its cluster does
  }

  /** The answer to one attempt has begun, so nobody needs those beside it. They judge nobody. */
  #dropOthers(hedge: Hedge, winner: Attempt, now: number): void {
    this.attempt = winner;
    for (const other of [...hedge.out]) {
      if (other === winner) continue;
      this.#giveUp(other, "neutral", ANSWERED_ELSEWHERE, now);
      this.#noteTried(other);
    }
    hedge.stop();
  }

  #giveUp(attempt: Attempt, outcome: Outcome, reason: unknown, now: number): void {
    const { abort } = attempt;
    this.#settle(attempt, outcome, reason, now);
    abort?.(reason instanceof Error ? reason : new Error("the call was given up", { cause: reason }));
  }

  /** Tells the caller that there is no answer, or no more of it. */
  #end(error: unknown, outcome: Outcome): void {
    const { exchange } = this;
    // An adapter may give up before it has started the call.
    if (this.engine === undefined) this.ended = true;
    else this.#finish(error, outcome, this.engine.clock.now());
    exchange.fail(error);
  }

  /**
   * Exactly once per call: afterwards it holds no endpoint, no timer and no place in a queue.
   * @param outcome of attempts still out
   */
  #finish(error: unknown, outcome: Outcome, now: number): void {
    this.ended = true;
    this.endedAt = now;
    this.error = error;
    if (this.wheelTick >= 0) this.engine.wheel.remove(this);
    if (this.retrying) this.cluster!.limits.freeRetry(this); // an attempt exists, so its cluster does
    const { attempt, hedge, cancelWait, pending } = this;
    if (attempt !== undefined && attempt.phase !== "settled") this.#giveUp(attempt, outcome, error, now);
    if (hedge !== undefined) for (const other of [...hedge.out]) this.#giveUp(other, outcome, error, now);
    if (cancelWait !== undefined) {
      this.cancelWait = undefined;
      cancelWait();
    }
    if (pending !== undefined) {
      this.pending = undefined;
      pending.resolve(); // the retry loop has nothing left to do
    }
    this.over();
  }

  /** After an attempt that brought no answer: wait for those beside it, try again, or give up. */
  #next(attempt: Attempt, failure: MeshError): void {
    if (this.hedge !== undefined) {
      if (this.hedge.out.length > 0) return;
      this.attempt = attempt; // the last one to fail, whichever was sent last
    }
    const retry = this.stack!.retry; // an attempt exists, so the stack does
    if (retry?.wantsFailure(this, attempt, failure)) return retry.again(this, attempt, failure);
    if (retry === undefined) this.noRetry = "retries_off";
    if (this.noRetry === "deadline") return this.onTimeout(); // passed already, its timer is about to say so
    this.fail(this.#told(failure));
  }

  /** A connection was found closed by its peer, or about to be. Once per call, and never what might then be carried out twice. */
  #mayReplay({ reused, leaving }: Attempt, { code }: MeshError): boolean {
    const gone = leaving || (reused && code === "UPSTREAM_RESET" && this.idempotent);
    return gone && !this.replayed && this.exchange.canReplay();
  }

  #noteTried(attempt: Attempt): void {
    if (this.tried === undefined) this.tried = [attempt.endpoint];
    else this.tried.push(attempt.endpoint);
    if (attempt.error instanceof MeshError && attempt.error.code === "WRONG_PEER") {
      this.wrongPeers = [...(this.wrongPeers ?? []), attempt.endpoint];
    }
    if (this.earlier === undefined) this.earlier = [attempt];
    else this.earlier.push(attempt);
  }

  #settle(attempt: Attempt, outcome: Outcome, error: unknown, now: number): void {
    attempt.phase = "settled";
    attempt.endedAt = now;
    attempt.error = error;
    attempt.abort = undefined;
    if (attempt.wheelTick >= 0) this.engine.wheel.remove(attempt);
    this.hedge?.over(attempt);
    this.release(attempt, outcome, now);
    const observers = this.stack!.attemptEnded;
    if (observers !== undefined) for (const observe of observers) observe(attempt, outcome);
  }

  /** The error of the last attempt with the story of all of them. */
  #told(failure: MeshError): MeshError {
    const { code, cause, status, origin } = failure;
    const now = this.engine.clock.now();
    const ledger = ledgerSoFar(this, now);
    const message = `${requestLine(this)} failed: ${attemptsStory(this, now)}.${timeStory(ledger)}${noRetryStory(this)}`;
    return new MeshError(code, message, { ...this.place, cause, status, origin, ledger });
  }

  #deadlineError(): MeshError {
    const { route, startedAt, deadlineInherited } = this;
    const now = this.engine.clock.now();
    const waited = `${requestLine(this)} timed out after ${Math.round(now - startedAt)} ms`;
    const whose = deadlineInherited
      ? this.deadlineAt === this.context?.deadlineAt
        ? "deadline of the inbound request it serves"
        : "deadline that its caller gave it"
      : `rule "${route?.name}", timeout ${route?.timeoutMs} ms`;
    const code = deadlineInherited ? "DEADLINE_EXCEEDED" : "TIMEOUT";
    const ledger = ledgerSoFar(this, now);
    const message = `${waited} (${whose}): ${attemptsStory(this, now)}.${timeStory(ledger)}`;
    return new MeshError(code, message, { ...this.place, ledger });
  }
}

const NONE: readonly HeaderOps[] = [];

/** Why an attempt beside the one that was answered was given up. */
const ANSWERED_ELSEWHERE = new Error("another attempt of the call was answered first");

/** Stands in for the exchange of a call that is over. */
const NOWHERE: Exchange = { send() {}, canReplay: () => false, passThrough() {}, reply() {}, fail() {} };
