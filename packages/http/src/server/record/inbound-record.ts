/**
 * What became of a request that was served, for everybody who shows it. One object per mesh, filled anew for each request: what
 * few ask for is read when they ask, from the request and its answer, which are there for as long as the record is.
 */

import { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import {
  type AttemptRecord,
  type Clock,
  FLAG,
  type InboundContext,
  type OutcomeRecord,
  type TimeLedger,
} from "@inmesh/core";
import { isSampled, queryOf, traceIdOf, traceSpanOf, withoutQuery } from "@inmesh/core/internal";
import type { PeerIdentity } from "@inmesh/model";
import type { Answer } from "../inbound-request.js";
import { StreamAnswer } from "../stream-answer.js";
import { GRPC_MESSAGE, grpcMessageOf, grpcStatusOf, isGrpc } from "./grpc-facts.js";
import { refusalDetails, refusalFlags } from "./refusal-details.js";
import type { RequestFacts } from "./request-facts.js";

/** What follows is no answer, and either side may end it. */
const SWITCHED = 101;

const NO_ATTEMPTS: readonly AttemptRecord[] = [];

export class InboundRecord implements OutcomeRecord {
  readonly direction = "inbound";
  wallMs = 0;
  startedAt = 0;
  endedAt = 0;
  status = 0;
  flags = 0;
  code: OutcomeRecord["code"] = "";
  snapshot = 0;
  /** Of it, how long the event loop stood still, in ms. */
  stallMs = 0;
  /** Nothing is injected into what is served. */
  readonly faultMs = 0;
  readonly attempts = NO_ATTEMPTS;
  readonly attemptCount = 0;
  readonly noRetry = "";
  readonly route = undefined;
  readonly cluster = undefined;
  readonly endpoint = undefined;
  readonly call = undefined;
  #facts!: RequestFacts;
  #answer!: Answer;
  #context!: InboundContext;
  readonly #ledger: Ledger = { ...NO_TIME };

  /** @param cut its caller went away before the answer was complete */
  fill(context: InboundContext, facts: RequestFacts, answer: Answer, cut: boolean, now: number, clock: Clock): this {
    const { refusal } = facts;
    this.#facts = facts;
    this.#answer = answer;
    this.#context = context;
    this.startedAt = facts.startedAt;
    this.endedAt = now;
    this.wallMs = clock.wallTime() - (now - facts.startedAt);
    this.status = cut && facts.headAt === 0 ? 0 : answer.statusCode;
    this.snapshot = facts.snapshot;
    this.flags = cut ? FLAG.DC : refusal === undefined ? 0 : refusalFlags(refusal.code, context.rule);
    this.code = refusal?.code ?? ""; // nobody of the mesh failed where the caller left
    return this;
  }

  /** The application ended a connection that had left HTTP: Envoy's words for that do not tell whether it was meant (seen with 1.40). */
  endedBelow(): void {
    this.flags |= FLAG.UC;
  }

  keep(): InboundRecord {
    const kept = Object.assign(new InboundRecord(), this);
    kept.#facts = this.#facts;
    kept.#answer = this.#answer;
    kept.#context = this.#context;
    return kept;
  }

  get method(): string {
    return this.#facts.method;
  }

  get path(): string {
    return withoutQuery(this.#facts.target);
  }

  get query(): string {
    return queryOf(this.#facts.target);
  }

  get authority(): string {
    return this.requestHeader(":authority") ?? this.requestHeader("host") ?? "";
  }

  get scheme(): string {
    return this.requestHeader(":scheme") ?? (this.mtls || this.#encrypted ? "https" : "http");
  }

  get protocol(): string {
    return this.#facts.protocol;
  }

  get grpcStatus(): number {
    if (!isGrpc(this.requestHeader("content-type"))) return -1;
    return this.#facts.refusal?.grpcStatus ?? grpcStatusOf(this.#answer, (this.flags & FLAG.DC) !== 0);
  }

  get details(): string {
    if ((this.flags & FLAG.DC) !== 0) return "downstream_remote_disconnect";
    if ((this.flags & FLAG.UC) !== 0) {
      const when = this.#facts.headAt === 0 ? "before" : "after";
      return `upstream_reset_${when}_response_started{connection_termination}`;
    }
    const { refusal } = this.#facts;
    return refusal === undefined ? "via_upstream" : refusalDetails(refusal, this.#context.rule);
  }

  get message(): string {
    if ((this.flags & FLAG.DC) !== 0 && this.status !== SWITCHED)
      return "the caller went away before the answer was complete";
    const { refusal } = this.#facts;
    if (refusal === undefined) return "";
    // Of an external authorizer it may be anything.
    return typeof refusal.body === "string" ? refusal.body.slice(refusal.body.indexOf("\n") + 1) : "";
  }

  get requestMessages(): number {
    return this.#facts.requestMessages();
  }

  get responseMessages(): number {
    return this.#facts.responseMessages(this.#answer);
  }

  get requestBytes(): number {
    return this.#facts.requestBytes();
  }

  get responseBytes(): number {
    return this.#facts.responseBytes(this.#answer);
  }

  get requestId(): string {
    return this.#facts.requestId;
  }

  get span(): OutcomeRecord["span"] {
    return this.#context.span;
  }

  get traceId(): string {
    return this.span?.traceId ?? traceIdOf(this.#facts.traceparent);
  }

  /** Without a span of ours: the caller's. */
  get spanId(): string {
    return this.span?.spanId ?? traceSpanOf(this.#facts.traceparent);
  }

  get sampled(): boolean {
    if (this.span !== undefined) return this.span.sampled;
    return isSampled(this.#facts.traceparent);
  }

  get ledger(): TimeLedger {
    const { startedAt, readyAt, headAt, endedAt, meshMs } = this;
    const ledger = this.#ledger;
    const answeredAt = headAt === 0 ? endedAt : headAt;
    ledger.meshMs = meshMs;
    ledger.waitMs = Math.max(0, answeredAt - readyAt);
    ledger.bodyMs = endedAt - startedAt - ledger.meshMs - ledger.waitMs;
    ledger.stallMs = this.stallMs;
    return ledger;
  }

  get meshMs(): number {
    return this.readyAt - this.startedAt;
  }

  get readyAt(): number {
    return this.#facts.servedAt || this.endedAt;
  }

  get headAt(): number {
    return this.#facts.headAt;
  }

  get peer(): PeerIdentity | undefined {
    return this.#context.peer;
  }

  get peerWorkload(): string {
    return this.#facts.peerWorkload;
  }

  get mtls(): boolean {
    return this.#context.peer !== undefined;
  }

  get localAddress(): string {
    return this.#facts.localAddress;
  }

  get remoteAddress(): string {
    return this.#facts.remoteAddress;
  }

  get httpRoute(): string {
    return this.#context.httpRoute;
  }

  get policy(): string {
    const { rule } = this.#context;
    return rule === null ? "" : `${rule.policy.namespace}/${rule.policy.name}`;
  }

  requestHeader(name: string): string | undefined {
    return this.#facts.header(name);
  }

  responseHeader(name: string): string | undefined {
    const answer = this.#answer as unknown;
    if (name === GRPC_MESSAGE) return answer instanceof StreamAnswer ? grpcMessageOf(answer) : undefined;
    const value =
      answer instanceof ServerResponse
        ? (answer.getHeader(name) ?? writtenHeader(answer as ServerResponse & Written, name))
        : answer instanceof StreamAnswer
          ? answer.stream.sentHeaders?.[name]
          : undefined;
    const first = Array.isArray(value) ? value[0] : value;
    return first === undefined ? undefined : String(first);
  }

  get #encrypted(): boolean {
    return (this.#facts.socket as (Socket & { readonly encrypted?: boolean }) | undefined)?.encrypted === true;
  }
}

type Ledger = { -readonly [Part in keyof TimeLedger]: number };

const NO_TIME: TimeLedger = {
  meshMs: 0,
  faultMs: 0,
  queueMs: 0,
  dnsMs: 0,
  connectMs: 0,
  tlsMs: 0,
  waitMs: 0,
  bodyMs: 0,
  backoffMs: 0,
  stallMs: 0,
};

/** Node's own copy of the head it has written. */
interface Written {
  readonly _header?: string | null;
}

/** Headers given to `writeHead` alone are nowhere but in the head as it was sent. */
function writtenHeader({ _header: head }: Written, name: string): string | undefined {
  if (typeof head !== "string") return undefined;
  const line = head
    .split("\r\n")
    .find((each) => each[name.length] === ":" && each.slice(0, name.length).toLowerCase() === name);
  return line?.slice(name.length + 1).trim();
}
