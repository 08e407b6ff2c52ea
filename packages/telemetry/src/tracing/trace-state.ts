/** Between our contexts and OpenTelemetry's. `tracestate` goes through as it came. */

import { createTraceState, type SpanContext } from "@opentelemetry/api";
import type { TraceContext } from "../propagation/index.js";

export function toSpanContext({ traceId, spanId, flags, traceState }: TraceContext): SpanContext {
  const base = { traceId, spanId, traceFlags: flags, isRemote: true };
  return traceState === "" ? base : { ...base, traceState: createTraceState(traceState) };
}

export function fromSpanContext({ traceId, spanId, traceFlags, traceState }: SpanContext): TraceContext {
  return { traceId, spanId, flags: traceFlags, traceState: traceState?.serialize() ?? "" };
}
