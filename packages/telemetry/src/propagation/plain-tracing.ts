/**
 * Traces without an SDK of OpenTelemetry: headers go on as they came, and a share of the calls that belong to no trace begin
 * one, so that what lies behind, and the logs, can be joined. When the process turns out to have an SDK, that one takes over.
 */

import type { Call, InboundContext, InboundHead, Random, TraceSpan, Tracing } from "@inmesh/core";
import { newSpanId, newTraceId } from "./ids.js";
import { PlainSpan } from "./plain-span.js";
import type { Propagators } from "./propagators.js";
import { isSampled, type Sampling } from "./sampling.js";
import { formatTraceparent, SAMPLED, type TraceContext } from "./trace-context.js";

export interface PlainTracingOptions {
  readonly propagators: Propagators;
  readonly sampling: Sampling;
  readonly random: Random;
  /** Whether the sampled flag of this request's context is believed. */
  readonly believes: (request: InboundContext) => boolean;
  /** Whether headers of traces are written on calls. */
  readonly propagates: () => boolean;
}

export class PlainTracing implements Tracing {
  readonly #options: PlainTracingOptions;

  constructor(options: PlainTracingOptions) {
    this.#options = options;
  }

  startCall(call: Call): TraceSpan | undefined {
    const above = call.context?.span;
    const propagates = this.#options.propagates();
    if (above instanceof PlainSpan && propagates) return above;
    if (above !== undefined) return passedOn(above, propagates); // its request ends it, and no call does
    const own = this.#options.propagators.read((name) => firstOf(call.header(name)));
    if (own !== undefined) return new PlainSpan(own, [], propagates);
    return call.context === undefined ? this.#begun("client") : undefined;
  }

  startRequest(request: InboundContext, head: InboundHead): TraceSpan | undefined {
    const { propagators, believes, sampling } = this.#options;
    const found = propagators.read((name) => head.header(name));
    if (found === undefined) return this.#begun("server");
    const sampled = isSampled(found.traceId, sampling.ratio("server"));
    const judged = believes(request) ? found : redecided(found, sampled);
    const asItCame = judged === found && isCanonical(found, head);
    return new PlainSpan(judged, asItCame ? [] : propagators.write(judged));
  }

  quietly<Result>(work: () => Result): Result {
    return work();
  }

  #begun(side: "client" | "server"): TraceSpan | undefined {
    const { random, sampling, propagators, propagates } = this.#options;
    const ratio = sampling.ratio(side);
    if (ratio < 1 && random.next() >= ratio) return undefined;
    const begun = { traceId: newTraceId(random), spanId: newSpanId(random), flags: SAMPLED, traceState: "" };
    return new PlainSpan(begun, propagators.write(begun), side === "server" || propagates());
  }
}

/** Its lines can go on as they came: what a later version of the standard adds, and lists that break its rules, cannot. */
function isCanonical(context: TraceContext, head: InboundHead): boolean {
  const line = head.header("traceparent");
  if (line === undefined) return true; // of another format
  return line === formatTraceparent(context) && (head.header("tracestate") ?? "") === context.traceState;
}

function passedOn(span: TraceSpan, propagates: boolean): PlainSpan {
  const { traceId, spanId, sampled, headers } = span;
  return new PlainSpan({ traceId, spanId, flags: sampled ? SAMPLED : 0, traceState: "" }, headers, propagates);
}

export function redecided(context: TraceContext, sampled: boolean): TraceContext {
  const flags = sampled ? context.flags | SAMPLED : context.flags & ~SAMPLED;
  return flags === context.flags ? context : { ...context, flags };
}

/** Several lines are one list, as Node joins those of a request that came. */
export function firstOf(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "string" || value === undefined ? value : value.join(",");
}
