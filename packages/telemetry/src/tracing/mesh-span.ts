/** A span of one call or one request: OpenTelemetry's, with what became of it told at its end. */

import type { AttemptRecord, OutcomeRecord, TraceSpan } from "@inmesh/core";
import {
  type Attributes,
  type Context,
  context,
  type Span,
  type SpanContext,
  SpanStatusCode,
} from "@opentelemetry/api";
import { RANDOM_ID, SAMPLED, type Side } from "../propagation/index.js";
import { rpcFailed, rpcMethodOf } from "../rpc.js";
import { AttributeShapes } from "./attribute-shapes.js";
import {
  addressAndPort,
  firstAttributes,
  firstOfCall,
  rpcName,
  shownMethod,
  tellCall,
  tellRequest,
} from "./attributes.js";
import type { Carried } from "./carried.js";
import { addCustomTags } from "./custom-tags.js";
import type { SpanTracingOptions } from "./span-tracing.js";

const NONE: readonly string[] = [];
const shapes = new AttributeShapes();

export class MeshSpan implements TraceSpan {
  readonly spanContext: SpanContext;
  readonly #span: Span;
  /** Undefined: the span is somebody else's, who ends it. */
  readonly #around: Context | undefined;
  readonly #options: SpanTracingOptions;
  readonly #side: Side;
  readonly #carried: Carried | undefined;
  /** Of its trace, which SDKs do not know. */
  readonly randomId: number;
  #headers: readonly string[] | undefined;

  /**
   * @param carried writes its headers; undefined: they are written already
   * @param flags of what it goes on from
   */
  constructor(
    span: Span,
    around: Context | undefined,
    options: SpanTracingOptions,
    side: Side,
    carried: Carried | undefined,
    flags = 0,
  ) {
    this.randomId = flags & RANDOM_ID;
    this.#span = span;
    this.#around = around;
    this.#options = options;
    this.#side = side;
    this.#carried = carried;
    this.spanContext = span.spanContext();
  }

  get traceId(): string {
    return this.spanContext.traceId;
  }

  get spanId(): string {
    return this.spanContext.spanId;
  }

  get sampled(): boolean {
    return (this.spanContext.traceFlags & SAMPLED) === SAMPLED;
  }

  get propagates(): boolean {
    return this.#side === "server" || this.#options.policy(this.#side).propagates;
  }

  get headers(): readonly string[] {
    this.#headers ??=
      this.#carried === undefined || !this.propagates
        ? NONE
        : this.#carried.headers(this.spanContext, this.#around ?? context.active(), this.randomId);
    return this.#headers;
  }

  run<Result>(work: () => Result): Result {
    return this.#around === undefined ? work() : context.with(this.#around, work);
  }

  end(record: OutcomeRecord): void {
    const span = this.#span;
    if (span.isRecording()) this.#tell(record);
    if (this.#around !== undefined) span.end();
  }

  #tell(record: OutcomeRecord): void {
    const options = this.#options;
    const span = this.#span;
    const isCall = this.#side === "client";
    if (this.#around === undefined && record.grpcStatus < 0) span.setAttributes(firstOf(record)); // it was begun without us
    if (isCall) tellCall(record, options, span);
    else tellRequest(record, options, span);
    const { istioTags, tags } = options.policy(this.#side);
    if (istioTags) span.setAttributes(options.istioTags);
    if (tags.length > 0) addCustomTags(span, tags, record, options.env);
    shapes.told(span);
    if (isCall) for (const attempt of record.attempts) addAttempt(span, attempt, record);
    if (this.#around === undefined) return; // name and status are its owner's
    if (record.grpcStatus >= 0) {
      if (!isCall && rpcMethodOf(record) === undefined) span.updateName(rpcName(""));
    } else if (!isCall && record.httpRoute !== "") {
      span.updateName(`${shownMethod(record.method)} ${record.httpRoute}`);
    }
    const failed = isFailure(record, isCall);
    if (failed) span.setStatus({ code: SpanStatusCode.ERROR, message: record.code });
  }
}

function isFailure(record: OutcomeRecord, isCall: boolean): boolean {
  if (record.grpcStatus >= 0) return rpcFailed(record);
  return record.code !== "" || record.status >= (isCall ? 400 : 500);
}

function firstOf({ direction, method, authority, call }: OutcomeRecord): Attributes {
  if (direction === "inbound") return firstAttributes(method);
  const [host, port] = addressAndPort(authority);
  return firstOfCall({ method, host: call?.host ?? host, port: call?.port ?? port });
}

function addAttempt(
  span: Span,
  { number, endpoint, startedAt, endedAt, outcome, code }: AttemptRecord,
  record: OutcomeRecord,
): void {
  const attributes: Attributes = {
    n: number,
    endpoint: endpoint.endpoint.id,
    duration_ms: Math.round((endedAt - startedAt) * 1_000) / 1_000,
    result: outcome,
  };
  if (code !== "") attributes["inmesh.error.code"] = code;
  span.addEvent("inmesh.attempt", attributes, record.wallMs + (endedAt - record.startedAt));
}
