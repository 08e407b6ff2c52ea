/** Telemetry (telemetry.istio.io): what is traced, measured and logged of whom. policy-semantics §3.7. */

import * as z from "zod/mini";
import { atMostOne, double, duration, flag, matchLabelsSelector, message, text } from "./field.js";
import { policyTarget } from "./policy-target.js";

const mode = z.enum(["CLIENT_AND_SERVER", "CLIENT", "SERVER"]);

const provider = message({ name: text });

const customTag = message({
  literal: message({ value: text }),
  environment: message({ name: text, defaultValue: text }),
  header: message({ name: text, defaultValue: text }),
  formatter: message({ value: text }),
}).check(atMostOne("literal", "environment", "header", "formatter"));

const tracing = message({
  match: message({ mode }),
  providers: z.array(provider),
  randomSamplingPercentage: double,
  disableSpanReporting: flag,
  customTags: z.record(z.string(), customTag),
  useRequestIdForTraceSampling: flag,
  enableIstioTags: flag,
  disableContextPropagation: flag,
});

const metric = z.enum([
  "ALL_METRICS",
  "REQUEST_COUNT",
  "REQUEST_DURATION",
  "REQUEST_SIZE",
  "RESPONSE_SIZE",
  "TCP_OPENED_CONNECTIONS",
  "TCP_CLOSED_CONNECTIONS",
  "TCP_SENT_BYTES",
  "TCP_RECEIVED_BYTES",
  "GRPC_REQUEST_MESSAGES",
  "GRPC_RESPONSE_MESSAGES",
]);

const tagOverride = message({ operation: z.enum(["UPSERT", "REMOVE"]), value: text });

const metricsOverride = message({
  match: message({ metric, customMetric: text, mode }).check(atMostOne("metric", "customMetric")),
  disabled: flag,
  tagOverrides: z.record(z.string(), tagOverride),
});

const metrics = message({
  providers: z.array(provider),
  overrides: z.array(metricsOverride),
  reportingInterval: duration,
});

const accessLogging = message({
  match: message({ mode }),
  providers: z.array(provider),
  disabled: flag,
  filter: message({ expression: text }),
});

export const telemetry = message({
  selector: matchLabelsSelector,
  targetRef: policyTarget,
  targetRefs: z.array(policyTarget),
  tracing: z.array(tracing),
  metrics: z.array(metrics),
  accessLogging: z.array(accessLogging),
});

export type TelemetrySpec = z.infer<typeof telemetry>;
export type TracingSpec = z.infer<typeof tracing>;
export type CustomTagSpec = z.infer<typeof customTag>;
export type MetricName = z.infer<typeof metric>;
export type MetricsOverrideSpec = z.infer<typeof metricsOverride>;
export type AccessLoggingSpec = z.infer<typeof accessLogging>;
