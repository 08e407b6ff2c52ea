/** The schema of each kind, and where in a document it applies. */

import type * as z from "zod/mini";
import type { Kind, Path } from "../resource.js";
import { type AuthorizationPolicySpec, authorizationPolicy } from "./authorization-policy.js";
import { type CircuitBreakerSpec, circuitBreaker } from "./circuit-breaker.js";
import { type DestinationRuleSpec, destinationRule } from "./destination-rule.js";
import { type GatewayGrpcRouteSpec, gatewayGrpcRoute } from "./gateway-grpc-route.js";
import { type GatewayHttpRouteSpec, gatewayHttpRoute } from "./gateway-http-route.js";
import { type MeshConfigSpec, meshConfig } from "./mesh-config.js";
import { type MeshModeSpec, meshMode } from "./mesh-mode.js";
import { type NamespaceSpec, namespace } from "./namespace.js";
import { type PeerAuthenticationSpec, peerAuthentication } from "./peer-authentication.js";
import { type RateLimitSpec, rateLimit } from "./rate-limit.js";
import { type RequestAuthenticationSpec, requestAuthentication } from "./request-authentication.js";
import { type ResilienceSpec, resilience } from "./resilience.js";
import { type ServiceSpec, service } from "./service.js";
import { type ServiceEntrySpec, serviceEntry } from "./service-entry.js";
import { type SidecarSpec, sidecar } from "./sidecar.js";
import { type TelemetrySpec, telemetry } from "./telemetry.js";
import { type VirtualServiceSpec, virtualService } from "./virtual-service.js";
import { type WorkloadEntrySpec, workloadEntry } from "./workload-entry.js";
import { type WorkloadGroupSpec, workloadGroup } from "./workload-group.js";

export interface SpecByKind {
  readonly VirtualService: VirtualServiceSpec;
  readonly DestinationRule: DestinationRuleSpec;
  readonly ServiceEntry: ServiceEntrySpec;
  readonly WorkloadEntry: WorkloadEntrySpec;
  readonly WorkloadGroup: WorkloadGroupSpec;
  readonly Sidecar: SidecarSpec;
  readonly MeshConfig: MeshConfigSpec;
  readonly Service: ServiceSpec;
  readonly Namespace: NamespaceSpec;
  readonly MeshMode: MeshModeSpec;
  readonly HTTPRoute: GatewayHttpRouteSpec;
  readonly GRPCRoute: GatewayGrpcRouteSpec;
  readonly CircuitBreaker: CircuitBreakerSpec;
  readonly Resilience: ResilienceSpec;
  readonly RateLimit: RateLimitSpec;
  readonly PeerAuthentication: PeerAuthenticationSpec;
  readonly RequestAuthentication: RequestAuthenticationSpec;
  readonly AuthorizationPolicy: AuthorizationPolicySpec;
  readonly Telemetry: TelemetrySpec;
}

export const SCHEMAS: { readonly [K in Kind]: z.ZodMiniType<SpecByKind[K]> } = {
  VirtualService: virtualService,
  DestinationRule: destinationRule,
  ServiceEntry: serviceEntry,
  WorkloadEntry: workloadEntry,
  WorkloadGroup: workloadGroup,
  Sidecar: sidecar,
  MeshConfig: meshConfig,
  Service: service,
  Namespace: namespace,
  MeshMode: meshMode,
  HTTPRoute: gatewayHttpRoute,
  GRPCRoute: gatewayGrpcRoute,
  CircuitBreaker: circuitBreaker,
  Resilience: resilience,
  RateLimit: rateLimit,
  PeerAuthentication: peerAuthentication,
  RequestAuthentication: requestAuthentication,
  AuthorizationPolicy: authorizationPolicy,
  Telemetry: telemetry,
};

/** MeshConfig is bare: its fields are the document's. */
export function specPath(kind: Kind): Path {
  return kind === "MeshConfig" ? [] : ["spec"];
}
