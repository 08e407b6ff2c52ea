/** GRPCRoute (gateway.networking.k8s.io): how calls of gRPC services are routed. policy-semantics §5.4. */

import * as z from "zod/mini";
import { int32, message, text } from "./field.js";
import type { GatewayHttpRouteSpec, GatewayMatchSpec, GatewayRuleSpec } from "./gateway-http-route.js";
import { backendObject, commonFilters, routeHead, sessionPersistence, valueMatch } from "./gateway-route.js";

const match = message({
  method: message({ type: z.enum(["Exact", "RegularExpression"]), service: text, method: text }),
  headers: z.array(valueMatch),
});

const filter = message({
  type: z.enum(["RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "ExtensionRef"]),
  ...commonFilters,
});

const backendRef = message({ ...backendObject, weight: int32, filters: z.array(filter) });

const rule = message({
  name: text,
  matches: z.array(match),
  filters: z.array(filter),
  backendRefs: z.array(backendRef),
  sessionPersistence,
});

export const gatewayGrpcRoute = message({ ...routeHead, rules: z.array(rule) });

export type GatewayGrpcRouteSpec = z.infer<typeof gatewayGrpcRoute>;
export type GatewayGrpcRuleSpec = z.infer<typeof rule>;
export type GatewayGrpcMatchSpec = z.infer<typeof match>;

/** Of an HTTPRoute or a GRPCRoute: but for their matches, rules of the one may say what rules of the other may. */
export type GatewayAnyRuleSpec = Omit<GatewayRuleSpec, "matches"> & {
  readonly matches?: readonly (GatewayMatchSpec | GatewayGrpcMatchSpec)[] | undefined;
};

export type GatewayRouteSpec = Omit<GatewayHttpRouteSpec, "rules"> & {
  readonly rules?: readonly GatewayAnyRuleSpec[] | undefined;
};
