export { analyze } from "./analyze/analyze.js";
export { SET_PROBLEM_CODES } from "./analyze/codes.js";
export { GATEWAY_CONTROLLER, type GatewayParentStatus, gatewayRouteStatuses } from "./analyze/gateway-status.js";
export { CEL_ATTRIBUTES, CEL_MAPS } from "./cel/attribute.js";
export { celFault, compileCel } from "./cel/compile.js";
export type { CelAttributes, CelExpression, CelValue } from "./cel/expression.js";
export { CelFault } from "./cel/fault.js";
export { type CompileInput, compile } from "./compile/compile.js";
export { endpointId } from "./compile/endpoints.js";
export { isGatewayRouteKind } from "./compile/gateway-parent.js";
export type { RefusedDocument } from "./compile/security-documents.js";
export {
  documentFromValue,
  NO_ORIGIN,
  type ParsedDocuments,
  type ParseOptions,
  parseDocuments,
} from "./document/parse-documents.js";
export { stringifyDocument } from "./document/stringify-document.js";
export type {
  AuthorizationConditionSpec,
  AuthorizationOperationSpec,
  AuthorizationPolicySpec,
  AuthorizationRuleSpec,
  AuthorizationSourceSpec,
} from "./kind/authorization-policy.js";
export type { CircuitBreakerSpec } from "./kind/circuit-breaker.js";
export type { DestinationRuleSpec, SubsetSpec } from "./kind/destination-rule.js";
export { parseDurationMs } from "./kind/duration.js";
export type { ExtensionProviderSpec } from "./kind/extension-provider.js";
export type { DestinationSpec, StringMatch } from "./kind/field.js";
export type { GatewayGrpcMatchSpec, GatewayGrpcRouteSpec, GatewayGrpcRuleSpec } from "./kind/gateway-grpc-route.js";
export type {
  GatewayBackendRefSpec,
  GatewayCorsSpec,
  GatewayFilterSpec,
  GatewayHttpRouteSpec,
  GatewayMatchSpec,
  GatewayPathModifierSpec,
  GatewayRuleSpec,
} from "./kind/gateway-http-route.js";
export type { GatewayHeaderModifierSpec, GatewayParentRefSpec, GatewayValueMatchSpec } from "./kind/gateway-route.js";
export type { MeshConfigSpec } from "./kind/mesh-config.js";
export type { MeshModeSpec } from "./kind/mesh-mode.js";
export type { NamespaceSpec } from "./kind/namespace.js";
export type { PeerAuthenticationSpec } from "./kind/peer-authentication.js";
export type { RateLimitSpec } from "./kind/rate-limit.js";
export type { JwtRuleSpec, RequestAuthenticationSpec } from "./kind/request-authentication.js";
export type { ResilienceSpec } from "./kind/resilience.js";
export type { SpecByKind } from "./kind/schema.js";
export type { KubernetesServicePortSpec, ServiceSpec } from "./kind/service.js";
export type { ServiceEntryPortSpec, ServiceEntrySpec } from "./kind/service-entry.js";
export type { EgressListenerSpec, IngressListenerSpec, SidecarSpec } from "./kind/sidecar.js";
export type { TelemetrySpec } from "./kind/telemetry.js";
export type {
  ClientTlsSpec,
  ConnectionPoolSpec,
  LoadBalancerSpec,
  LocalityLbSpec,
  OutlierDetectionSpec,
  PortTrafficPolicySpec,
  TrafficPolicySpec,
  ZoneAwareLbSpec,
} from "./kind/traffic-policy.js";
export type {
  CorsPolicySpec,
  HeaderOperationsSpec,
  HeadersSpec,
  HttpDestinationSpec,
  HttpDirectResponseSpec,
  HttpFaultSpec,
  HttpMatchSpec,
  HttpRedirectSpec,
  HttpRetrySpec,
  HttpRewriteSpec,
  HttpRouteSpec,
  TcpRouteSpec,
  TlsRouteSpec,
  VirtualServiceSpec,
  WeightedDestinationSpec,
} from "./kind/virtual-service.js";
export type { WorkloadEntrySpec } from "./kind/workload-entry.js";
export type { ReadinessProbeSpec, WorkloadGroupSpec } from "./kind/workload-group.js";
export {
  isLogOperator,
  LOG_OPERATORS,
  type LogFormatPart,
  type LogOperator,
  type LogOperatorName,
  type ParsedLogFormat,
  parseLogFormat,
} from "./log-format/parse-log-format.js";
export { type Problem, type Severity, worstSeverity } from "./problem.js";
export { DOCUMENT_PROBLEM_CODES } from "./problem-code.js";
export {
  type Document,
  KINDS,
  type Kind,
  type ObjectMeta,
  type Origin,
  type Path,
  type Position,
  type Resource,
  type ResourceRef,
  resourceKey,
} from "./resource.js";
export { SCHEMA_VERSION, schemaVersionNeeded } from "./schema-version.js";
export { type ClientTls, PLAINTEXT, type TlsMode } from "./snapshot/client-tls.js";
export { type Cluster, clusterName, POLICY_BLOCKS, type PolicyFields } from "./snapshot/cluster.js";
export { GRPC_STATUS_NAMES } from "./snapshot/grpc-status-names.js";
export {
  type AdmissionPolicy,
  type BreakerFallback,
  type BreakerPolicy,
  type HealthCheckPolicy,
  type HedgingPolicy,
  NO_SERVER_POLICY,
  type Priority,
  type RateLimitKey,
  type RateLimitPolicy,
  type RetryRatePolicy,
  type ServerPolicy,
  type SharedLimitPolicy,
  type SharedLimitService,
} from "./snapshot/resilience.js";
export type {
  CorsPolicy,
  Destination,
  DirectResponseAction,
  FaultPolicy,
  ForwardAction,
  HashKey,
  HashPart,
  HeaderOps,
  HeaderPair,
  Match,
  MatchRequest,
  MirrorPolicy,
  RedirectAction,
  RetryPolicy,
  Rewrite,
  Route,
  RouteAction,
  RouteTable,
  RuleForOthers,
  RuleRef,
  SessionPolicy,
  VirtualHost,
} from "./snapshot/route.js";
export {
  type AccessAction,
  type AccessControl,
  type AccessDecision,
  type AccessedHttp,
  type AccessRequest,
  type AccessRule,
  type Claims,
  type CustomAccess,
  type DryRunDecision,
  defaultSecurity,
  type ExternalAuthorizer,
  type ForwardedClientCert,
  type JwtRule,
  NO_ACCESS_CONTROL,
  type PathNormalization,
  type PeerMode,
  type PeerModeInForce,
  type PeerPolicy,
  type SecurityPolicy,
  type TokenPlaces,
} from "./snapshot/security.js";
export type { ClientContext, MeshSettings, Mode, Snapshot } from "./snapshot/snapshot.js";
export {
  type AccessLogPolicy,
  type CustomTag,
  type LogProvider,
  type MetricsPolicy,
  type ModeTelemetry,
  NO_TELEMETRY_POLICY,
  type StandardMetric,
  type TagOverride,
  type TelemetryPolicy,
  type TracingPolicy,
} from "./snapshot/telemetry.js";
export type {
  ConnectionPolicy,
  HashAlgorithm,
  KeepAlivePolicy,
  LimitPolicy,
  LoadBalancerKind,
  LocalityDistribution,
  LocalityFailover,
  LocalityPolicy,
  Nearness,
  OutlierPolicy,
  RetryBudgetPolicy,
  TrafficPolicy,
  WarmupPolicy,
  ZoneAwareness,
} from "./snapshot/traffic-policy.js";
export type {
  DroppedShare,
  Endpoint,
  EndpointSet,
  KnownService,
  Locality,
  Protocol,
  Resolution,
  Service,
  ServicePort,
  ServiceRef,
  Workload,
  WorkloadPort,
} from "./snapshot/workload.js";
export { type PeerIdentity, parseSpiffeId, SPIFFE_SCHEME, spiffeId } from "./spiffe-id.js";
export { notHonoured } from "./validate/not-honoured.js";
export { type AnyResource, type Validated, validateDocument } from "./validate/validate-document.js";
