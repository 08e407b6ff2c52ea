/** HTTPRoute (gateway.networking.k8s.io): how requests to a Service are routed. policy-semantics §5.1–5.3. */

import * as z from "zod/mini";
import { flag, int32, message, stringList, text } from "./field.js";
import {
  backendObject,
  commonFilters,
  gatewayDuration,
  routeHead,
  sessionPersistence,
  valueMatch,
} from "./gateway-route.js";

const match = message({
  path: message({ type: z.enum(["Exact", "PathPrefix", "RegularExpression"]), value: text }),
  headers: z.array(valueMatch),
  queryParams: z.array(valueMatch),
  method: z.enum(["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]),
});

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
  ...commonFilters,
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
  // Never honoured, so what is inside is nobody's business: the whole filter is refused.
  externalAuth: z.record(z.string(), z.unknown()),
});

const backendRef = message({ ...backendObject, weight: int32, filters: z.array(filter) });

const rule = message({
  name: text,
  matches: z.array(match),
  filters: z.array(filter),
  backendRefs: z.array(backendRef),
  timeouts: message({ request: gatewayDuration, backendRequest: gatewayDuration }),
  retry: message({ codes: z.array(int32), attempts: int32, backoff: gatewayDuration }),
  sessionPersistence,
});

export const gatewayHttpRoute = message({ ...routeHead, rules: z.array(rule) });

export type GatewayHttpRouteSpec = z.infer<typeof gatewayHttpRoute>;
export type GatewayRuleSpec = z.infer<typeof rule>;
export type GatewayMatchSpec = z.infer<typeof match>;
export type GatewayFilterSpec = z.infer<typeof filter>;
export type GatewayPathModifierSpec = z.infer<typeof pathModifier>;
export type GatewayRedirectSpec = NonNullable<GatewayFilterSpec["requestRedirect"]>;
export type GatewayCorsSpec = NonNullable<GatewayFilterSpec["cors"]>;
export type GatewayBackendRefSpec = z.infer<typeof backendRef>;
/** The part that backendRefs of rules and of mirrors share. */
export type GatewayBackendObjectSpec = Pick<GatewayBackendRefSpec, "group" | "kind" | "namespace" | "name" | "port">;
