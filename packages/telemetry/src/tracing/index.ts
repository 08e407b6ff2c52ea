export { isRegistered, ProcessTracer } from "./provider.js";
export { Redaction } from "./redact.js";
export { SpanTracing, type SpanTracingOptions, type TracingMode } from "./span-tracing.js";
