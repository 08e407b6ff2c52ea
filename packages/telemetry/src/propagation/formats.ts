/** How a trace context is written into headers: W3C's, Zipkin's two, Jaeger's. By OpenTelemetry's names of propagators. */

import {
  formatTraceparent,
  parseTraceparent,
  type ReadHeader,
  readTracestate,
  SAMPLED,
  type TraceContext,
} from "./trace-context.js";

export interface TraceFormat {
  /** Lower-case names of its headers. The first is the one without which there is no context. */
  readonly names: readonly string[];
  /** Undefined: none there, or none that is written as it must be. */
  read(header: ReadHeader): TraceContext | undefined;
  /** Appends its lines, flat. */
  write(context: TraceContext, lines: string[]): void;
}

const w3c: TraceFormat = {
  names: ["traceparent", "tracestate"],
  read(header) {
    const line = header("traceparent");
    const found = line === undefined ? undefined : parseTraceparent(line);
    return found && { ...found, traceState: readTracestate(header("tracestate")) };
  },
  write(context, lines) {
    lines.push("traceparent", formatTraceparent(context));
    if (context.traceState !== "") lines.push("tracestate", context.traceState);
  },
};

/** Sampling states of B3: `d` is debug, which is as good as sampled to everybody else. */
const B3 = /^([0-9a-f]{16}|[0-9a-f]{32})-([0-9a-f]{16})(?:-([01d])(?:-[0-9a-f]{16})?)?$/;

const b3: TraceFormat = {
  names: ["b3"],
  read(header) {
    const found = B3.exec(header("b3") ?? "");
    if (found === null) return undefined;
    const [, traceId, spanId, state] = found as unknown as [string, string, string, string?];
    return made(traceId, spanId, state === "1" || state === "d");
  },
  write({ traceId, spanId, flags }, lines) {
    lines.push("b3", `${traceId}-${spanId}-${flags & SAMPLED}`);
  },
};

const TRACE_ID = /^(?:[0-9a-f]{16}|[0-9a-f]{32})$/;
const SPAN_ID = /^[0-9a-f]{16}$/;

const b3multi: TraceFormat = {
  names: ["x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-parentspanid", "x-b3-flags"],
  read(header) {
    const traceId = header("x-b3-traceid") ?? "";
    const spanId = header("x-b3-spanid") ?? "";
    if (!TRACE_ID.test(traceId) || !SPAN_ID.test(spanId)) return undefined;
    const sampled = header("x-b3-sampled");
    return made(traceId, spanId, sampled === "1" || sampled === "true" || header("x-b3-flags") === "1");
  },
  write({ traceId, spanId, flags }, lines) {
    lines.push("x-b3-traceid", traceId, "x-b3-spanid", spanId, "x-b3-sampled", String(flags & SAMPLED));
  },
};

/** Trace, span, parent (unused since long), flags; colons may come escaped. Leading zeros may be left out. */
const UBER = /^([0-9a-f]{1,32}):([0-9a-f]{1,16}):[0-9a-f]{1,16}:([0-9a-f]{1,2})$/;
const LONGEST_UBER = 128;

const jaeger: TraceFormat = {
  names: ["uber-trace-id"],
  read(header) {
    const line = header("uber-trace-id");
    if (line === undefined || line.length > LONGEST_UBER) return undefined;
    const found = UBER.exec(line.replace(/%3a/gi, ":"));
    if (found === null) return undefined;
    const [, traceId, spanId, flags] = found as unknown as [string, string, string, string];
    return made(
      traceId.padStart(32, "0"),
      spanId.padStart(16, "0"),
      (Number.parseInt(flags, 16) & SAMPLED) === SAMPLED,
    );
  },
  write({ traceId, spanId, flags }, lines) {
    lines.push("uber-trace-id", `${traceId}:${spanId}:0:${flags & SAMPLED}`);
  },
};

/** By name in `OTEL_PROPAGATORS`. */
export const FORMATS: Readonly<Record<string, TraceFormat>> = { tracecontext: w3c, b3, b3multi, jaeger };

function made(traceId: string, spanId: string, sampled: boolean): TraceContext | undefined {
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId: traceId.padStart(32, "0"), spanId, flags: sampled ? SAMPLED : 0, traceState: "" };
}
