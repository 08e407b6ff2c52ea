export { exportAsked, logsAsked } from "./export-asked.js";
export { PlainSpan } from "./plain-span.js";
export { firstOf, PlainTracing, type PlainTracingOptions, redecided } from "./plain-tracing.js";
export { Propagators } from "./propagators.js";
export { isSampled, type SampledTrust, Sampling, type Side } from "./sampling.js";
export {
  formatTraceparent,
  parseTraceparent,
  RANDOM_ID,
  type ReadHeader,
  readTracestate,
  SAMPLED,
  type TraceContext,
} from "./trace-context.js";
