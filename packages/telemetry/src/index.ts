export {
  exportAsked,
  PlainTracing,
  type PlainTracingOptions,
  Propagators,
  type SampledTrust,
  Sampling,
} from "./propagation/index.js";
