/** MeshConfig.extensionProviders: authorizers, tracers, metrics and logs that policy refers to by name. */

import * as z from "zod/mini";
import {
  atMostOne,
  durationOrZero,
  flag,
  int32,
  message,
  stringList,
  stringMap,
  text,
  uint32,
  uint64,
} from "./field.js";

/** Made when a MeshConfig has one. */
export function createExtensionProvider() {
  const target = { service: text, port: uint32 };

  const httpHeader = message({ name: text, value: text, envName: text }).check(atMostOne("value", "envName"));

  const httpService = message({ path: text, timeout: durationOrZero, headers: z.array(httpHeader) });

  /** Free form: a log entry as an object. */
  const struct = z.record(z.string(), z.unknown());

  const requestBody = message({ maxRequestBytes: uint32, allowPartialMessage: flag, packAsBytes: flag });

  const authorizer = {
    ...target,
    timeout: durationOrZero,
    failOpen: flag,
    clearRouteCache: flag,
    statusOnError: text,
    includeRequestBodyInCheck: requestBody,
  };

  const grpcLog = { ...target, logName: text, filterStateObjectsToLog: stringList };

  const providers = {
    envoyExtAuthzHttp: message({
      ...authorizer,
      pathPrefix: text,
      includeHeadersInCheck: stringList,
      includeRequestHeadersInCheck: stringList,
      includeAdditionalHeadersInCheck: stringMap,
      headersToUpstreamOnAllow: stringList,
      headersToDownstreamOnDeny: stringList,
      headersToDownstreamOnAllow: stringList,
    }),
    envoyExtAuthzGrpc: message(authorizer),
    zipkin: message({
      ...target,
      maxTagLength: uint32,
      enable64bitTraceId: flag,
      path: text,
      traceContextOption: z.enum(["USE_B3", "USE_B3_WITH_W3C_PROPAGATION"]),
      timeout: durationOrZero,
      headers: z.array(httpHeader),
    }),
    lightstep: message({ ...target, accessToken: text, maxTagLength: uint32 }),
    datadog: message({ ...target, maxTagLength: uint32 }),
    stackdriver: message({
      debug: flag,
      maxNumberOfAttributes: uint64,
      maxNumberOfAnnotations: uint64,
      maxNumberOfMessageEvents: uint64,
      maxTagLength: uint32,
      logging: message({ labels: stringMap }),
    }),
    opencensus: message({
      ...target,
      context: z.array(z.enum(["UNSPECIFIED", "W3C_TRACE_CONTEXT", "GRPC_BIN", "CLOUD_TRACE_CONTEXT", "B3"])),
      maxTagLength: uint32,
    }),
    skywalking: message({ ...target, accessToken: text }),
    opentelemetry: message({
      ...target,
      maxTagLength: uint32,
      http: httpService,
      grpc: message({ timeout: durationOrZero, initialMetadata: z.array(httpHeader) }),
      resourceDetectors: message({ environment: message({}), dynatrace: message({}) }),
      serviceAttributeEnrichment: z.enum(["ISTIO_CANONICAL", "OTEL_SEMANTIC_CONVENTIONS"]),
      dynatraceSampler: message({
        tenant: text,
        clusterId: int32,
        rootSpansPerMinute: uint32,
        httpService: message({ ...target, http: httpService }),
      }),
    }),
    prometheus: message({}),
    envoyFileAccessLog: message({
      path: text,
      logFormat: message({ text, labels: struct }).check(atMostOne("text", "labels")),
      omitEmptyValues: flag,
    }),
    envoyHttpAls: message({
      ...grpcLog,
      additionalRequestHeadersToLog: stringList,
      additionalResponseHeadersToLog: stringList,
      additionalResponseTrailersToLog: stringList,
    }),
    envoyTcpAls: message(grpcLog),
    envoyOtelAls: message({ ...target, logName: text, logFormat: message({ text, labels: struct }) }),
    sds: message({ name: text, ...target }),
  };

  return message({ name: text, ...providers }).check(
    atMostOne(...(Object.keys(providers) as (keyof typeof providers)[])),
  );
}

export type ExtensionProviderSpec = z.infer<ReturnType<typeof createExtensionProvider>>;
