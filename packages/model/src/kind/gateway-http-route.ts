/** HTTPRoute (gateway.networking.k8s.io): how requests to a Service are routed. policy-semantics §5.1–5.3. */

import * as z from "zod/mini";
import { parseDurationMs } from "./duration.js";
import { flag, int32, message, stringList, text } from "./field.js";

/** Gateway API's own form (GEP-2257): whole numbers with units, no fractions, no signs. */
const GATEWAY_DURATION = /^(?:[0-9]{1,5}(?:h|m|s|ms)){1,4}$/;

const duration = z.string().check(
  z.refine((value) => GATEWAY_DURATION.test(value) && parseDurationMs(value) !== undefined, {
    error: 'expected whole numbers with units, such as "5s", "1m30s" or "100ms". Correct it.',
  }),
);

const parentRef = message({ group: text, kind: text, namespace: text, name: text, sectionName: text, port: int32 });

const backendObject = { group: text, kind: text, namespace: text, name: text, port: int32 };

const valueMatchType = z.enum(["Exact", "RegularExpression"]);

const valueMatch = message({ type: valueMatchType, name: text, value: text });

const match = message({
  path: message({ type: z.enum(["Exact", "PathPrefix", "RegularExpression"]), value: text }),
  headers: z.array(valueMatch),
  queryParams: z.array(valueMatch),
  method: z.enum(["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]),
});

const header = message({ name: text, value: text });

const headerModifier = message({ set: z.array(header), add: z.array(header), remove: stringList });

const pathModifier = message({
  type: z.enum(["ReplaceFullPath", "ReplacePrefixMatch"]),
  replaceFullPath: text,
  replacePrefixMatch: text,
});

const filter = message({
  type: z.enum([
    "RequestHeaderModifier",
    "ResponseHeaderModifier",
    "RequestMirror",
    "RequestRedirect",
    "URLRewrite",
    "CORS",
    "ExtensionRef",
    "ExternalAuth",
  ]),
  requestHeaderModifier: headerModifier,
  responseHeaderModifier: headerModifier,
  requestMirror: message({
    backendRef: message(backendObject),
    percent: int32,
    fraction: message({ numerator: int32, denominator: int32 }),
  }),
  requestRedirect: message({
    scheme: z.enum(["http", "https"]),
    hostname: text,
    path: pathModifier,
    port: int32,
    statusCode: int32,
  }),
  urlRewrite: message({ hostname: text, path: pathModifier }),
  cors: message({
    allowOrigins: stringList,
    allowCredentials: flag,
    allowMethods: stringList,
    allowHeaders: stringList,
    exposeHeaders: stringList,
    maxAge: int32,
  }),
  extensionRef: message({ group: text, kind: text, name: text }),
  // Never honoured, so what is inside is nobody's business: the whole filter is refused.
  externalAuth: z.record(z.string(), z.unknown()),
});

const backendRef = message({ ...backendObject, weight: int32, filters: z.array(filter) });

const sessionPersistence = message({
  sessionName: text,
  absoluteTimeout: duration,
  idleTimeout: duration,
  type: z.enum(["Cookie", "Header"]),
  cookieConfig: message({ lifetimeType: z.enum(["Permanent", "Session"]) }),
});

const rule = message({
  name: text,
  matches: z.array(match),
  filters: z.array(filter),
  backendRefs: z.array(backendRef),
  timeouts: message({ request: duration, backendRequest: duration }),
  retry: message({ codes: z.array(int32), attempts: int32, backoff: duration }),
  sessionPersistence,
});

export const gatewayHttpRoute = message({
  parentRefs: z.array(parentRef),
  useDefaultGateways: z.enum(["All", "None"]),
  hostnames: stringList,
  rules: z.array(rule),
});

export type GatewayHttpRouteSpec = z.infer<typeof gatewayHttpRoute>;
export type GatewayRuleSpec = z.infer<typeof rule>;
export type GatewayMatchSpec = z.infer<typeof match>;
export type GatewayValueMatchSpec = z.infer<typeof valueMatch>;
export type GatewayFilterSpec = z.infer<typeof filter>;
export type GatewayHeaderModifierSpec = z.infer<typeof headerModifier>;
export type GatewayPathModifierSpec = z.infer<typeof pathModifier>;
export type GatewayRedirectSpec = NonNullable<GatewayFilterSpec["requestRedirect"]>;
export type GatewayCorsSpec = NonNullable<GatewayFilterSpec["cors"]>;
export type GatewayBackendRefSpec = z.infer<typeof backendRef>;
export type GatewayParentRefSpec = z.infer<typeof parentRef>;
/** The part that backendRefs of rules and of mirrors share. */
export type GatewayBackendObjectSpec = Pick<GatewayBackendRefSpec, "group" | "kind" | "namespace" | "name" | "port">;
