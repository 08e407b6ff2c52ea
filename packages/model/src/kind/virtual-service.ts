/** VirtualService (networking.istio.io): how requests to a host are routed. policy-semantics §1. */

import * as z from "zod/mini";
import {
  atMostOne,
  destination,
  duration,
  flag,
  int32,
  message,
  percent,
  stringList,
  stringMap,
  stringMatch,
  text,
  uint32,
} from "./field.js";

const headerOperations = message({
  set: stringMap,
  add: stringMap,
  remove: stringList,
});

const headers = message({ request: headerOperations, response: headerOperations });

const matchMap = z.record(z.string(), stringMatch);

/** `withoutHeaders: {x: null}` is legal in Istio and means what `{x: {}}` does. */
const absenceMap = z.record(z.string(), z.nullable(stringMatch));

const httpMatch = message({
  name: text,
  uri: stringMatch,
  scheme: stringMatch,
  method: stringMatch,
  authority: stringMatch,
  headers: matchMap,
  withoutHeaders: absenceMap,
  queryParams: matchMap,
  port: uint32,
  sourceLabels: stringMap,
  sourceNamespace: text,
  gateways: stringList,
  ignoreUriCase: flag,
  statPrefix: text,
});

const httpDestination = message({
  destination: destination,
  weight: int32,
  headers: headers,
});

const redirect = message({
  uri: text,
  prefixRewrite: text,
  authority: text,
  scheme: text,
  port: uint32,
  derivePort: z.enum(["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"]),
  redirectCode: uint32,
}).check(atMostOne("port", "derivePort"));

const directResponse = message({
  status: uint32,
  body: message({ string: text, bytes: text }).check(atMostOne("string", "bytes")),
});

const rewrite = message({
  uri: text,
  authority: text,
  uriRegexRewrite: message({ match: text, rewrite: text }),
});

/** Also MeshConfig's defaultHttpRetryPolicy. */
export const httpRetry = message({
  attempts: int32,
  perTryTimeout: duration,
  retryOn: text,
  retryRemoteLocalities: flag,
  retryIgnorePreviousHosts: flag,
  backoff: duration,
});

const fault = message({
  delay: message({
    percent: int32,
    percentage: percent,
    fixedDelay: duration,
    exponentialDelay: duration,
  }).check(atMostOne("fixedDelay", "exponentialDelay")),
  abort: message({
    percentage: percent,
    httpStatus: int32,
    grpcStatus: text,
    http2Error: text,
  }).check(atMostOne("httpStatus", "grpcStatus", "http2Error")),
});

const corsPolicy = message({
  allowOrigin: stringList,
  allowOrigins: z.array(stringMatch),
  allowMethods: stringList,
  allowHeaders: stringList,
  exposeHeaders: stringList,
  maxAge: duration,
  allowCredentials: flag,
  unmatchedPreflights: z.enum(["UNSPECIFIED", "FORWARD", "IGNORE"]),
});

const httpRoute = message({
  name: text,
  match: z.array(httpMatch),
  route: z.array(httpDestination),
  redirect: redirect,
  directResponse: directResponse,
  delegate: message({ name: text, namespace: text }),
  rewrite: rewrite,
  timeout: duration,
  retries: httpRetry,
  fault: fault,
  mirror: destination,
  mirrors: z.array(message({ destination: destination, percentage: percent })),
  mirrorPercent: uint32,
  mirrorPercentage: percent,
  corsPolicy: corsPolicy,
  headers: headers,
});

const weightedDestination = message({ destination: destination, weight: int32 });

const tlsRoute = message({
  match: z.array(
    message({
      sniHosts: stringList,
      destinationSubnets: stringList,
      port: uint32,
      sourceLabels: stringMap,
      gateways: stringList,
      sourceNamespace: text,
    }),
  ),
  route: z.array(weightedDestination),
});

const tcpRoute = message({
  match: z.array(
    message({
      destinationSubnets: stringList,
      port: uint32,
      sourceSubnet: text,
      sourceLabels: stringMap,
      gateways: stringList,
      sourceNamespace: text,
    }),
  ),
  route: z.array(weightedDestination),
});

export const virtualService = message({
  hosts: stringList,
  gateways: stringList,
  http: z.array(httpRoute),
  tls: z.array(tlsRoute),
  tcp: z.array(tcpRoute),
  exportTo: stringList,
});

export type VirtualServiceSpec = z.infer<typeof virtualService>;
export type HttpRouteSpec = z.infer<typeof httpRoute>;
export type HttpMatchSpec = z.infer<typeof httpMatch>;
export type HttpDestinationSpec = z.infer<typeof httpDestination>;
export type HttpRetrySpec = z.infer<typeof httpRetry>;
export type HttpFaultSpec = z.infer<typeof fault>;
export type HttpRedirectSpec = z.infer<typeof redirect>;
export type HttpDirectResponseSpec = z.infer<typeof directResponse>;
export type HttpRewriteSpec = z.infer<typeof rewrite>;
export type HeadersSpec = z.infer<typeof headers>;
export type HeaderOperationsSpec = z.infer<typeof headerOperations>;
export type CorsPolicySpec = z.infer<typeof corsPolicy>;
export type TlsRouteSpec = z.infer<typeof tlsRoute>;
export type TcpRouteSpec = z.infer<typeof tcpRoute>;
export type WeightedDestinationSpec = z.infer<typeof weightedDestination>;
