/**
 * The record of one outcome, in a place that serves again for a later one. Whoever serves requests fills its fields itself;
 * for calls `fillFromCall` does. What costs something to work out is worked out when it is asked for.
 */

import type { PeerIdentity, Route } from "@inmesh/model";
import type { Attempt, HeaderReader } from "../call/attempt.js";
import type { Call, NoRetryReason } from "../call/call.js";
import { firstValue } from "../call/first-value.js";
import { grpcStatusOfError } from "../call/grpc-status.js";
import { withoutQuery } from "../call/without-query.js";
import type { ClusterRuntime } from "../cluster/cluster-runtime.js";
import type { EndpointState } from "../cluster/endpoint-state.js";
import type { MeshErrorCode } from "../errors.js";
import type { Would } from "../rehearsal/would.js";
import { AttemptSlot } from "./attempt-slot.js";
import type { OutcomeRecord, TimeLedger } from "./outcome-record.js";
import { outcomeLedger } from "./time-ledger.js";
import type { TraceSpan } from "./tracing.js";

/** Attempts kept of a call; of more, the first and the last ones. */
const MOST_ATTEMPTS = 16;
/** Of an `x-request-id`, which may come from anywhere. */
const MOST_ID = 128;
/** Where in a `traceparent` of any version its parts begin, and what it is at least as long as. */
const [TRACE_AT, SPAN_AT, FLAGS_AT, LEAST_PARENT] = [3, 36, 53, 55];

const CANCELLED = 1;

const NO_ATTEMPTS: readonly AttemptSlot[] = [];
const NO_HEADERS: readonly string[] = [];

export class OutcomeSlot implements OutcomeRecord {
  direction: "outbound" | "inbound" = "outbound";
  wallMs = 0;
  startedAt = 0;
  /** Clock ms at which it went on: to its first attempt, or to the application. */
  readyAt = 0;
  headAt = 0;
  endedAt = 0;
  method = "";
  /** Path with query. */
  target = "";
  authority = "";
  scheme = "";
  protocol = "";
  status = 0;
  flags = 0;
  details = "-";
  code: MeshErrorCode | "" = "";
  message = "";
  requestMessages = 0;
  responseMessages = 0;
  requestBytes = 0;
  responseBytes = 0;
  span: TraceSpan | undefined = undefined;
  attemptCount = 0;
  noRetry: NoRetryReason | "" = "";
  peer: PeerIdentity | undefined = undefined;
  peerWorkload = "";
  mtls = false;
  localAddress = "";
  remoteAddress = "";
  httpRoute = "";
  snapshot = 0;
  policy = "";
  route: Route | undefined = undefined;
  cluster: ClusterRuntime | undefined = undefined;
  endpoint: EndpointState | undefined = undefined;
  call: Call | undefined = undefined;
  last: Attempt | undefined = undefined;

  /** Of the request, flat `[name, value, …]`, names in any case. */
  headers: readonly string[] = NO_HEADERS;
  /** Of the answer; undefined where nobody kept them. */
  answerHeader: HeaderReader | undefined = undefined;
  /** What follows its body. */
  answerTrailer: HeaderReader | undefined = undefined;
  /** Injected delay, in ms. */
  faultMs = 0;
  stallMs = 0;
  fallback: Call["fallback"] = "";
  replayed = false;
  would: Would | undefined = undefined;
  /** Status of gRPC that the mesh gave its caller itself; -1: none. */
  #made = -1;
  #requestId = "";
  /** Of its span, which the record outlives. */
  #traceId = "";
  #spanId = "";
  #sampled = false;
  #parent = "";
  /** The headers that it stood in. */
  #parentOf: readonly string[] = NO_HEADERS;
  readonly #slots: AttemptSlot[] = [];
  #one: readonly AttemptSlot[] = NO_ATTEMPTS;
  #attempts: readonly AttemptSlot[] = NO_ATTEMPTS;

  get attempts(): readonly AttemptSlot[] {
    return this.#attempts;
  }

  get path(): string {
    return withoutQuery(this.target);
  }

  get query(): string {
    const query = this.target.indexOf("?");
    return query < 0 ? "" : this.target.slice(query + 1);
  }

  get ledger(): TimeLedger {
    return outcomeLedger(this, this.#attempts);
  }

  /** What the story needs of a record that is somebody else's, and of no call. */
  copy(record: OutcomeRecord): void {
    const { query, headAt, readyAt } = record;
    this.direction = record.direction;
    this.wallMs = record.wallMs;
    this.startedAt = record.startedAt;
    this.readyAt = readyAt;
    this.headAt = headAt;
    this.endedAt = record.endedAt;
    this.method = record.method;
    this.target = query === "" ? record.path : `${record.path}?${query}`;
    this.authority = record.authority;
    this.scheme = record.scheme;
    this.protocol = record.protocol;
    this.status = record.status;
    this.flags = record.flags;
    this.details = record.details;
    this.code = record.code;
    this.message = record.message;
    this.requestBytes = record.requestBytes;
    this.responseBytes = record.responseBytes;
    this.#requestId = record.requestId;
    this.#traceId = record.traceId;
    this.#spanId = record.spanId;
    this.#sampled = record.sampled;
    this.peer = record.peer;
    this.mtls = record.mtls;
    this.localAddress = record.localAddress;
    this.remoteAddress = record.remoteAddress;
    this.httpRoute = record.httpRoute;
    this.snapshot = record.snapshot;
    this.policy = record.policy;
    this.stallMs = record.ledger.stallMs;
  }

  keep(): OutcomeSlot {
    const kept = Object.assign(new OutcomeSlot(), this);
    kept.span = undefined;
    kept.#made = this.#made;
    kept.#requestId = this.#requestId;
    kept.#traceId = this.#traceId;
    kept.#spanId = this.#spanId;
    kept.#sampled = this.#sampled;
    kept.#attempts = this.#attempts.map((each) => Object.assign(new AttemptSlot(), each));
    return kept;
  }

  get requestId(): string {
    if (this.#requestId !== "") return this.#requestId;
    return (firstValue(this.headers, "x-request-id") ?? "").slice(0, MOST_ID);
  }

  get traceId(): string {
    return this.#traceId || this.#traceparent.slice(TRACE_AT, SPAN_AT - 1);
  }

  get spanId(): string {
    return this.#spanId || this.#traceparent.slice(SPAN_AT, FLAGS_AT - 1);
  }

  get sampled(): boolean {
    if (this.#traceId !== "") return this.#sampled;
    return (Number.parseInt(this.#traceparent.slice(FLAGS_AT, LEAST_PARENT), 16) & 1) === 1;
  }

  get grpcStatus(): number {
    if (this.#made >= 0) return this.#made;
    if (!this.#isGrpc) return -1;
    const text = this.answerTrailer?.("grpc-status") ?? this.answerHeader?.("grpc-status");
    return text !== undefined && /^\d{1,2}$/.test(text) ? Number(text) : -1;
  }

  /**
   * The mesh failed the call. A caller of gRPC gets a status of gRPC for that, and 200 of HTTP, as Envoy answers it.
   * @param answered the head of the server's own answer has gone on to the caller
   */
  madeHere(answered: boolean): void {
    if (this.code === "" || !this.#isGrpc) return;
    this.#made = grpcStatusOfError(this.code, this.status, this.route?.fault);
    if (!answered) this.status = 200;
  }

  /** The caller did, with a status of its own where it is gRPC's. */
  givenUp(reason: unknown): void {
    if (!this.#isGrpc) return;
    const code = (reason as { readonly code?: unknown } | null | undefined)?.code;
    this.#made = typeof code === "number" ? code : CANCELLED;
  }

  requestHeader(name: string): string | undefined {
    return firstValue(this.headers, name);
  }

  responseHeader(name: string): string | undefined {
    const found = this.answerHeader?.(name);
    return found === undefined && name === "grpc-message" ? this.answerTrailer?.(name) : found;
  }

  /** @param all in the order of their starts */
  keepAttempts(all: readonly Attempt[]): void {
    if (all.length === 1) {
      this.#attempts = this.#first(all[0]!); // of length 1
      return;
    }
    if (all.length === 0) {
      this.#attempts = NO_ATTEMPTS;
      return;
    }
    const kept = all.length <= MOST_ATTEMPTS ? all : [all[0]!, ...all.slice(1 - MOST_ATTEMPTS)]; // not empty
    this.#attempts = kept.map((attempt, index) => {
      this.#slots[index] ??= new AttemptSlot();
      this.#slots[index].fill(attempt);
      return this.#slots[index];
    });
  }

  /** It went on for longer, in the last attempt. */
  endsAt(now: number): void {
    this.endedAt = now;
    const last = this.#attempts.at(-1);
    if (last !== undefined) last.endedAt = now;
  }

  /** Everybody has been told: what the story needs no more is let go of, so that it keeps no body, socket or context alive. */
  release(): void {
    this.span = undefined;
    this.call = undefined;
    this.last = undefined;
    this.answerHeader = undefined;
    this.answerTrailer = undefined;
  }

  /** Ready for another outcome: as new, but for what every filling sets: direction, times, request, status, bytes, headers. */
  reset(): void {
    this.protocol = "";
    this.flags = 0;
    this.details = "-";
    this.code = "";
    this.message = "";
    this.span = undefined;
    this.attemptCount = 0;
    this.noRetry = "";
    this.peer = undefined;
    this.peerWorkload = "";
    this.requestMessages = 0;
    this.responseMessages = 0;
    this.mtls = false;
    this.localAddress = "";
    this.remoteAddress = "";
    this.httpRoute = "";
    this.snapshot = 0;
    this.policy = "";
    this.route = undefined;
    this.cluster = undefined;
    this.endpoint = undefined;
    this.headers = NO_HEADERS;
    this.faultMs = 0;
    this.stallMs = 0;
    this.fallback = "";
    this.replayed = false;
    this.would = undefined;
    this.#made = -1;
    this.#requestId = "";
    this.#traceId = "";
    this.#spanId = "";
    this.#attempts = NO_ATTEMPTS;
  }

  /** Its span, which is over before the record is. */
  tracedBy(span: TraceSpan): void {
    this.span = span;
    this.#traceId = span.traceId;
    this.#spanId = span.spanId;
    this.#sampled = span.sampled;
  }

  get #isGrpc(): boolean {
    return firstValue(this.headers, "content-type")?.startsWith("application/grpc") === true;
  }

  /** Empty where there is none that can be read. Looked at once, for all who ask for parts of it. */
  get #traceparent(): string {
    if (this.#parentOf !== this.headers) {
      this.#parentOf = this.headers;
      const line = firstValue(this.headers, "traceparent") ?? "";
      this.#parent = isTraceparent(line) ? line : "";
    }
    return this.#parent;
  }

  #first(attempt: Attempt): readonly AttemptSlot[] {
    let slot = this.#slots[0];
    if (slot === undefined) {
      slot = new AttemptSlot();
      this.#slots[0] = slot;
      this.#one = [slot];
    }
    slot.fill(attempt);
    return this.#one;
  }
}

/** By hand: an expression costs three times as much, for every line of a log. */
function isTraceparent(line: string): boolean {
  if (line.length < LEAST_PARENT) return false;
  for (let index = 0; index < LEAST_PARENT; index++) {
    const char = line.charCodeAt(index);
    const isDash = index === TRACE_AT - 1 || index === SPAN_AT - 1 || index === FLAGS_AT - 1;
    if (isDash ? char !== 45 : !((char >= 48 && char <= 57) || (char >= 97 && char <= 102))) return false;
  }
  return true;
}
