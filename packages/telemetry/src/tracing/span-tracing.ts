/**
 * Spans through @opentelemetry/api, whoever registered the provider: one for each call and one for each request served,
 * whatever other instrumentation runs in the process and whichever was loaded first (docs/design/2026-11-28-telemetry.md).
 */

import type { Call, InboundContext, InboundHead, TraceSpan, Tracing } from "@inmesh/core";
import type { ModeTelemetry } from "@inmesh/model";
import {
  type Context,
  context,
  type Link,
  type Span,
  type SpanContext,
  SpanKind,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import {
  firstOf,
  isSampled,
  PlainSpan,
  type PlainTracing,
  type Propagators,
  redecided,
  SAMPLED,
  type Sampling,
  type Side,
  type TraceContext,
} from "../propagation/index.js";
import {
  firstAttributes,
  firstOfCall,
  firstOfRpc,
  rpcName,
  rpcPath,
  type SpanOptions,
  shownMethod,
} from "./attributes.js";
import { Carried } from "./carried.js";
import { withoutSpan, withSpan } from "./context-with.js";
import { MeshSpan } from "./mesh-span.js";
import { isSuppressed, suppressed } from "./suppressed.js";
import { fromSpanContext, toSpanContext } from "./trace-state.js";

/** `annotate`: no spans of our own, more to be read on those of others. */
export type TracingMode = "auto" | "own" | "annotate" | "off";

export interface SpanTracingOptions extends SpanOptions {
  readonly mode: TracingMode;
  readonly propagators: Propagators;
  readonly sampling: Sampling;
  /** What to do for those that are not recorded. */
  readonly plain: PlainTracing;
  readonly believes: (request: InboundContext) => boolean;
  readonly policy: (side: Side) => ModeTelemetry["tracing"];
  /** Of the workload, `istio.canonical_service` and its like. */
  readonly istioTags: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Another instrumentation makes spans of requests below us: it has not run when `startRequest` does. */
  readonly servedBelow: () => boolean;
  /** The mesh has set up OpenTelemetry itself. */
  readonly ownSdk: boolean;
  /** The provider judges by our sampler. */
  readonly ownSampler: boolean;
}

export class SpanTracing implements Tracing {
  readonly #tracer: Tracer;
  readonly #options: SpanTracingOptions;
  readonly #carried: Carried;

  constructor(tracer: Tracer, options: SpanTracingOptions) {
    this.#tracer = tracer;
    this.#options = options;
    this.#carried = new Carried(options.propagators, !options.ownSdk);
  }

  startCall(call: Call): TraceSpan | undefined {
    const { plain, mode, policy } = this.#options;
    const active = context.active();
    if (isSuppressed(active)) return undefined; // an exporter's, or of somebody else who wants silence
    const rules = policy("client");
    if (rules.disabled) return plain.startCall(call);
    const own = this.#options.propagators.read((name) => firstOf(call.header(name)));
    const above = trace.getSpan(active);
    const here = above?.spanContext();
    if (here !== undefined && above !== undefined && isValid(here)) {
      const written = own !== undefined && own.traceId === here.traceId;
      // Its span of this very call: it has run, and has written its headers.
      if (
        mode === "annotate" ||
        (mode === "auto" && written && (own.spanId !== here.spanId || kindOf(above) === SpanKind.CLIENT))
      ) {
        return this.#annotated(above, "client", written);
      }
      const goesOn = own === undefined || written;
      const flags = goesOn ? randomIdOf(call, here.traceId) : own.flags;
      return this.#called(call, goesOn ? active : remote(active, own), flags);
    }
    if (mode === "annotate") return plain.startCall(call);
    const parent = own ?? contextOf(call.context);
    return this.#called(call, parent === undefined ? active : remote(active, parent), parent?.flags);
  }

  startRequest(request: InboundContext, head: InboundHead): TraceSpan | undefined {
    const { propagators, mode, plain, policy } = this.#options;
    const active = context.active();
    const rules = policy("server");
    const above = trace.getSpan(active);
    if (mode === "auto" || mode === "annotate") {
      if (isServing(above, () => propagators.read((name) => head.header(name)))) {
        return this.#annotated(above, "server", true);
      }
    }
    // Theirs comes next, inside of ours, and calls are made under it. On HTTP/2 there is one for gRPC only.
    if (
      mode === "annotate" ||
      rules.disabled ||
      (mode === "auto" &&
        (head.header(":method") === undefined ? this.#options.servedBelow() : head.tracedBelow === true))
    ) {
      return plain.startRequest(request, head);
    }
    const came = propagators.read((name) => head.header(name));
    const parent = came === undefined ? undefined : this.#judged(request, came);
    // What happens to be active is not what the caller said: a server may have begun to listen inside of a span.
    const under = parent === undefined ? withoutSpan(active) : remote(active, parent);
    const rpc = rpcPath(head.method, head.target, head.header("content-type"));
    const name = rpc === undefined ? shownMethod(head.method) : rpcName(rpc);
    const attributes = rpc === undefined ? firstAttributes(head.method) : firstOfRpc(rpc);
    const span = this.#tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, under);
    return new MeshSpan(
      span,
      this.#carried.withBaggage(withSpan(under, span), head),
      this.#options,
      "server",
      this.#carried,
      parent?.flags,
    );
  }

  quietly<Result>(work: () => Result): Result {
    const active = context.active();
    return this.#options.mode === "annotate" || isSuppressed(active) ? work() : context.with(suppressed(active), work);
  }

  /** @param flags of what it goes on from */
  #called(call: Call, parent: Context, flags: number | undefined): TraceSpan {
    const rpc = rpcPath(call.method, call.path, firstOf(call.header("content-type")));
    const method = rpc === undefined ? shownMethod(call.method) : rpcName(rpc);
    const name = call.isCopy ? `${method} mirror` : method;
    const options = { kind: SpanKind.CLIENT, attributes: firstOfCall(call, rpc), links: linksOf(call) };
    const span = this.#tracer.startSpan(name, options, parent);
    return new MeshSpan(span, withSpan(parent, span), this.#options, "client", this.#carried, flags);
  }

  /** @param written its headers are on the request already */
  #annotated(span: Span, side: Side, written: boolean): TraceSpan {
    return new MeshSpan(span, undefined, this.#options, side, written ? undefined : this.#carried);
  }

  #judged(request: InboundContext, came: TraceContext): TraceContext {
    const { believes, sampling, ownSampler } = this.#options;
    if (believes(request)) return came;
    const ratio = ownSampler ? sampling.ratio("server") : sampling.asked("server");
    return ratio === undefined ? came : redecided(came, isSampled(came.traceId, ratio));
  }
}

/** Of the request on whose behalf a call is made, as far as its headers or our own span say. */
function contextOf(request: InboundContext | undefined): TraceContext | undefined {
  const above = request?.span;
  if (above instanceof PlainSpan) return above.context;
  if (!(above instanceof MeshSpan)) return undefined;
  const context = fromSpanContext(above.spanContext);
  return { ...context, flags: context.flags | above.randomId };
}

/** The request's own, where the call is of its trace. */
function randomIdOf({ context: request }: Call, traceId: string): number {
  const span = request?.span;
  return span instanceof MeshSpan && span.traceId === traceId ? span.randomId : 0;
}

function remote(above: Context, parent: TraceContext): Context {
  return withSpan(above, trace.wrapSpanContext(toSpanContext(parent)));
}

function isValid({ traceId, spanId }: SpanContext): boolean {
  return trace.isSpanContextValid({ traceId, spanId, traceFlags: SAMPLED });
}

/** SDKs keep it on the spans that they record. */
function kindOf(span: Span): unknown {
  return (span as { readonly kind?: unknown }).kind;
}

/** Another instrumentation's span of this request. One that is not recorded does not say what it is of, but its trace does. */
function isServing(span: Span | undefined, came: () => TraceContext | undefined): span is Span {
  if (span === undefined) return false;
  const here = span.spanContext();
  if (!isValid(here) || here.isRemote === true) return false;
  if (kindOf(span) !== undefined) return kindOf(span) === SpanKind.SERVER && span.isRecording();
  return came()?.traceId === here.traceId;
}

const NO_LINKS: Link[] = [];

/**
 * A copy is no part of the request that it was made of, and says which one that was. So does a call that an application, or a library
 * of it, makes once more.
 */
function linksOf(call: Call): Link[] {
  const { primarySpan } = call as { readonly primarySpan?: TraceSpan };
  if (primarySpan instanceof MeshSpan) return [{ context: primarySpan.spanContext }];
  const { repeats } = call;
  if (repeats === undefined) return NO_LINKS;
  const { traceId, spanId, sampled } = repeats;
  const context = { traceId, spanId, traceFlags: sampled ? SAMPLED : 0 };
  return [{ context, attributes: { "inmesh.link": "repeats" } }];
}
