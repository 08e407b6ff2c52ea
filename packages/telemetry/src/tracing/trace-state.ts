/** Between our contexts and OpenTelemetry's. `tracestate` goes through as it came. */

import { createTraceState, type SpanContext, type TraceState } from "@opentelemetry/api";
import type { TraceContext } from "../propagation/index.js";

export function toSpanContext({ traceId, spanId, flags, traceState }: TraceContext): SpanContext {
  const base = { traceId, spanId, traceFlags: flags, isRemote: true };
  return traceState === "" ? base : { ...base, traceState: new ReceivedState(traceState) };
}

/** As it was received: OpenTelemetry's own reads by an older grammar, and leaves members out. */
class ReceivedState implements TraceState {
  readonly #line: string;

  constructor(line: string) {
    this.#line = line;
  }

  get(key: string): string | undefined {
    const member = this.#line.split(",").find((each) => each.startsWith(`${key}=`));
    return member?.slice(key.length + 1);
  }

  set(key: string, value: string): TraceState {
    return createTraceState(this.#line).set(key, value);
  }

  unset(key: string): TraceState {
    return createTraceState(this.#line).unset(key);
  }

  serialize(): string {
    return this.#line;
  }
}

export function fromSpanContext({ traceId, spanId, traceFlags, traceState }: SpanContext): TraceContext {
  return { traceId, spanId, flags: traceFlags, traceState: traceState?.serialize() ?? "" };
}
