/**
 * The record of a call that is over: a small object in front of the call and its last attempt, which say the rest. What costs
 * something to work out is worked out when it is asked for.
 *
 * Nothing is copied while all goes well: writing the same again into memory that nothing touched for 256 calls was a quarter of what
 * the mesh added to a request (docs/design/2026-11-29-outcome-records.md).
 */

import type { PeerIdentity } from "@inmesh/model";
import type { HeaderReader } from "../call/attempt.js";
import type { Call, NoRetryReason } from "../call/call.js";
import { firstValue } from "../call/first-value.js";
import { attemptsOf } from "../call/story.js";
import { queryOf, withoutQuery } from "../call/without-query.js";
import { MESH_ERRORS, type MeshErrorCode } from "../errors.js";
import type { Would } from "../rehearsal/would.js";
import type { Engine } from "../stack/engine.js";
import { type AttemptFacts, AttemptSummary, withoutError } from "./attempt-summary.js";
import { type CallFacts, factsOf } from "./call-facts.js";
import { type CallFailure, failureOf } from "./call-failure.js";
import type { OutcomeRecord, TimeLedger } from "./outcome-record.js";
import { FLAG } from "./response-flags.js";
import { meshMsAround, outcomeLedger } from "./time-ledger.js";
import { isSampled, isTraceparent, traceIdOf, traceSpanOf } from "./traceparent-line.js";
import type { TraceSpan } from "./tracing.js";

/** Attempts kept of a call; of more, the first and the last ones. */
const MOST_ATTEMPTS = 16;
/** Of an `x-request-id`, which may come from anywhere. */
const MOST_ID = 128;

const NO_ATTEMPTS: readonly AttemptSummary[] = [];

export class CallRecord implements OutcomeRecord {
  wallMs = 0;
  endedAt: number;
  status: number;
  flags = 0;
  details = "";
  stallMs = 0;
  requestBytes = 0;
  responseBytes = 0;
  snapshot = 0;
  httpRoute = "";
  /** In mode observe. */
  would: Would | undefined = undefined;
  span: TraceSpan | undefined = undefined;
  #call: Call | undefined;
  /** The call itself, or what is to be kept of it. */
  #of: CallFacts;
  #last: AttemptFacts | undefined;
  #failure: CallFailure | undefined = undefined;
  #attempts: readonly AttemptSummary[] | undefined = undefined;
  #answerHeader: HeaderReader | undefined = undefined;
  #answerTrailer: HeaderReader | undefined = undefined;
  /** Of its answer, once that is let go of. */
  #answered = -1;
  /** Of its span, which the record outlives. */
  #traceId = "";
  #spanId = "";
  #sampled = false;
  /** A valid line or none; undefined: not looked at. */
  #parent: string | undefined = undefined;

  /** Of a call that has ended. To be filled. */
  constructor(call: Call) {
    this.endedAt = call.endedAt;
    this.status = call.status;
    this.#call = call;
    this.#of = call;
    this.#last = call.attempt;
  }

  /** Once, and before `call.forget()`. */
  fill({ clock, stalls, rehearsal, contexts }: Pick<Engine, "clock" | "stalls" | "rehearsal" | "contexts">): this {
    const call = this.#call!; // nobody has been told yet
    const { attempt, span, startedAt, endedAt } = call;
    this.wallMs = clock.wallTime() - (endedAt - startedAt);
    this.snapshot = call.snapshot?.version ?? 0;
    this.httpRoute = (call.context ?? contexts.current())?.httpRoute ?? "";
    this.would = rehearsal.wouldOf(call);
    this.stallMs = stalls.stalledMs(startedAt, endedAt);
    this.details = attempt === undefined ? "direct_response" : "via_upstream";
    if (attempt !== undefined) {
      this.requestBytes = attempt.sentBytes;
      this.responseBytes = attempt.receivedBytes;
      this.#answerHeader = attempt.header;
      this.#answerTrailer = attempt.trailer;
    }
    if (span !== undefined) {
      this.span = span;
      this.#traceId = span.traceId;
      this.#spanId = span.spanId;
      this.#sampled = span.sampled;
    }
    if (call.faultMs > 0) this.flags |= FLAG.DI;
    if (call.noRetry === "attempts_exhausted") this.flags |= FLAG.URX;
    if (call.error !== undefined) this.#fail(call, call.error);
    else if (call.fallback === "response" || call.fallback === "stale") {
      this.flags |= FLAG.UO;
      this.details = MESH_ERRORS.BREAKER_OPEN.details;
    }
    if (this.stallMs > 0) {
      for (const each of this.attempts) each.stallMs = stalls.stalledMs(each.startedAt, each.endedAt);
    }
    return this;
  }

  #fail(call: Call, error: unknown): void {
    const failure = failureOf(call, error, this.#isGrpc);
    this.#failure = failure;
    this.flags |= failure.flags;
    this.details = failure.details;
    // A caller of gRPC gets a status of gRPC for a failure of the mesh's, and 200 of HTTP, as Envoy answers it.
    if (failure.code !== "" && failure.grpcStatus >= 0 && !call.answered) this.status = 200;
  }

  // ---- what is read of the call ----

  get direction(): "outbound" {
    return "outbound";
  }

  get startedAt(): number {
    return this.#of.startedAt;
  }

  get readyAt(): number {
    return this.#of.readyAt;
  }

  get headAt(): number {
    const last = this.#last;
    if (last !== undefined) return last.headAt;
    return this.#of.answered ? this.endedAt : 0;
  }

  get method(): string {
    return this.#of.method;
  }

  get path(): string {
    return withoutQuery(this.#of.path);
  }

  get query(): string {
    return queryOf(this.#of.path);
  }

  get authority(): string {
    return this.#of.authority;
  }

  get scheme(): string {
    return this.#of.scheme;
  }

  get route(): CallFacts["route"] {
    return this.#of.route;
  }

  get cluster(): CallFacts["cluster"] {
    return this.#of.cluster;
  }

  get attemptCount(): number {
    return this.#of.attempts;
  }

  get noRetry(): NoRetryReason | "" {
    return this.#of.noRetry ?? "";
  }

  /** Injected delay, in ms. */
  get faultMs(): number {
    return this.#of.faultMs;
  }

  get fallback(): Call["fallback"] {
    return this.#of.fallback;
  }

  get replayed(): boolean {
    return this.#of.replayed;
  }

  get call(): Call | undefined {
    return this.#call;
  }

  get code(): MeshErrorCode | "" {
    return this.#failure?.code ?? "";
  }

  get message(): string {
    return this.#failure?.message ?? "";
  }

  // ---- of its attempts ----

  get endpoint(): OutcomeRecord["endpoint"] {
    return this.#last?.endpoint;
  }

  get requestMessages(): number {
    return this.#last?.sentMessages ?? 0;
  }

  get responseMessages(): number {
    return this.#last?.receivedMessages ?? 0;
  }

  get protocol(): string {
    return this.#last?.wire?.protocol ?? "";
  }

  get peer(): PeerIdentity | undefined {
    return this.#last?.wire?.peer;
  }

  get mtls(): boolean {
    return this.#last?.wire?.mtls === true;
  }

  get localAddress(): string {
    return this.#last?.wire?.localAddress ?? "";
  }

  get remoteAddress(): string {
    return this.#last?.wire?.remoteAddress ?? "";
  }

  get attempts(): readonly AttemptSummary[] {
    // Without its call it is one that went well at the first attempt: others have theirs made before they let go of it.
    this.#attempts ??= this.#call === undefined ? summariesOfOne(this.#last) : summariesOf(this.#call);
    return this.#attempts;
  }

  get ledger(): TimeLedger {
    return outcomeLedger(this, this.attempts);
  }

  get meshMs(): number {
    const { attempts } = this;
    const [only] = attempts;
    if (only === undefined || attempts.length > 1 || only.headAt === 0) return this.ledger.meshMs;
    return meshMsAround(this, only);
  }

  // ---- of a server's alone ----

  get peerWorkload(): string {
    return "";
  }

  get policy(): string {
    return "";
  }

  // ---- of its headers ----

  get requestId(): string {
    return (firstValue(this.#headers, "x-request-id") ?? "").slice(0, MOST_ID);
  }

  get traceId(): string {
    return this.#traceId || traceIdOf(this.#traceparent);
  }

  get spanId(): string {
    return this.#spanId || traceSpanOf(this.#traceparent);
  }

  get sampled(): boolean {
    if (this.#traceId !== "") return this.#sampled;
    return isSampled(this.#traceparent);
  }

  get grpcStatus(): number {
    const made = this.#failure?.grpcStatus ?? -1;
    if (made >= 0) return made;
    if (this.#call === undefined) return this.#answered;
    if (!this.#isGrpc) return -1;
    const text = this.#answerTrailer?.("grpc-status") ?? this.#answerHeader?.("grpc-status");
    return text !== undefined && /^\d{1,2}$/.test(text) ? Number(text) : -1;
  }

  requestHeader(name: string): string | undefined {
    return firstValue(this.#headers, name);
  }

  responseHeader(name: string): string | undefined {
    const found = this.#answerHeader?.(name);
    return found === undefined && name === "grpc-message" ? this.#answerTrailer?.(name) : found;
  }

  // ---- its life ----

  /** It went on for longer, in the last attempt. */
  endsAt(now: number): void {
    this.endedAt = now;
    const last = this.attempts.at(-1);
    if (last !== undefined) last.endedAt = now;
  }

  keep(): CallRecord {
    const kept = Object.assign(new CallRecord(this.#call!), this); // asked for while sinks are told
    kept.span = undefined;
    kept.#failure = this.#failure;
    kept.#answerHeader = this.#answerHeader;
    kept.#answerTrailer = this.#answerTrailer;
    kept.#traceId = this.#traceId;
    kept.#spanId = this.#spanId;
    kept.#sampled = this.#sampled;
    kept.#attempts = this.attempts; // nobody changes them any more, but for a tunnel's, which is the last to be told
    return kept;
  }

  /** Everybody has been told: what the story needs no more is let go of, so that it keeps no body, socket, error or context alive. */
  release(): void {
    const call = this.#call;
    if (call === undefined) return;
    if (call.error !== undefined || call.earlier !== undefined || call.hedge !== undefined) this.#detach(call);
    else call.virtualHost = undefined; // of a snapshot that may be replaced long before the record is
    this.#answered = this.grpcStatus;
    this.#call = undefined;
    this.span = undefined;
    this.#answerHeader = undefined;
    this.#answerTrailer = undefined;
  }

  /** Keeps what it shows, and not the call with the errors that it holds. */
  #detach(call: Call): void {
    for (const each of this.attempts) each.letGo();
    this.#of = factsOf(call);
    if (this.#last !== undefined) this.#last = withoutError(this.#last);
  }

  get #headers(): readonly string[] {
    return this.#last?.headers ?? this.#of.headers;
  }

  get #isGrpc(): boolean {
    return firstValue(this.#headers, "content-type")?.startsWith("application/grpc") === true;
  }

  /** Empty where there is none that can be read. Looked at once, for all who ask for parts of it. */
  get #traceparent(): string {
    if (this.#parent === undefined) {
      const line = firstValue(this.#headers, "traceparent") ?? "";
      this.#parent = isTraceparent(line) ? line : "";
    }
    return this.#parent;
  }
}

/** In the order of their starts. */
function summariesOf(call: Call): readonly AttemptSummary[] {
  const all = attemptsOf(call);
  const kept = all.length <= MOST_ATTEMPTS ? all : [all[0]!, ...all.slice(1 - MOST_ATTEMPTS)]; // not empty
  return kept.map((attempt) => new AttemptSummary(attempt));
}

function summariesOfOne(attempt: AttemptFacts | undefined): readonly AttemptSummary[] {
  return attempt === undefined ? NO_ATTEMPTS : [new AttemptSummary(attempt)];
}
