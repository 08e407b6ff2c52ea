export type { AdmissionReading } from "../admission/admission.js";
export type { GateReading } from "../admission/gate.js";
export type { BalancerGroupView, BalancerView } from "../balance/balancer.js";
export { balancingText } from "../explain/balancing-text.js";
export { tlsText } from "../explain/tls-text.js";
export { type Out, outText } from "../health/out-story.js";
export type { BodyLoss, MirrorReading, MirrorSkip } from "../mirror/mirror-tally.js";
export type { WouldView } from "../rehearsal/would.js";
export type { WouldReading } from "../rehearsal/would-stats.js";
export type { ObservedCall, ObservedCallsView } from "../security/observed-calls.js";
export type { CertificateView, CertsView, IdentityView } from "./certs-view.js";
export {
  CONFIG_TYPES,
  type ConfigDump,
  type ConfigKind,
  type ConfigSection,
  clusterConfigs,
  clustersOf,
  endpointConfigs,
  istioMetadata,
  type NamedConfig,
  routeConfigs,
} from "./config-dump.js";
export { endpointsOut } from "./endpoints-out.js";
export { clusterStatuses, listenerStatuses } from "./envoy-status.js";
export { EventLog, type MeshEvent } from "./event-log.js";
export {
  type Graph,
  type GraphEdge,
  type GraphNode,
  type GraphProcess,
  type GraphRoute,
  type GraphVersion,
  graph,
  nodeOfHost,
  type ProcessReading,
} from "./graph.js";
export type { GraphHealth } from "./graph-health.js";
export {
  type CallerReading,
  type ExpectedResult,
  type LiveDestination,
  type LiveEndpoint,
  type LiveExplanation,
  liveExplanation,
  type RecentCalls,
} from "./live-explanation.js";
export { expectedText, liveLines } from "./live-text.js";
export {
  hasFailed,
  type OutcomeAttemptView,
  type OutcomesView,
  type OutcomeView,
  outcomeView,
} from "./outcome-view.js";
export { hasId, type OutcomesQuery, outcomesOf } from "./outcomes-view.js";
export { registryDetails, registryReading, suspectsOf } from "./registry-view.js";
export { requestsView, requestView } from "./requests-view.js";
export { stackView, virtualHostViews } from "./routing-view.js";
export type { CallerView, PortSecurityView, ServerSecurityView } from "./security-view.js";
export { count, shortHost, shortMs } from "./short-text.js";
export { snapshotInUse } from "./snapshot-in-use.js";
export { snapshotView } from "./snapshot-view.js";
export {
  statusTest,
  TAP_RATE,
  Tap,
  type TapAttempt,
  type TapEvent,
  type TapFilter,
  tapBeginText,
  tapEvent,
  tapText,
} from "./tap.js";
export type { ServedUnderWay, TapBegin } from "./tap-under-way.js";
export type { Blame } from "./time-blame.js";
export {
  type RememberedOutcome,
  type StoryNode,
  servedBy,
  type TraceStory,
  traceStory,
  type Verdict,
} from "./trace-story.js";
export { type Secured, SecuritySums, type Traffic, TrafficSums } from "./traffic-sums.js";
export { clustersView, type StatsOptions, statsView } from "./traffic-view.js";
export type {
  AttemptView,
  BreakerView,
  ClustersView,
  ClusterView,
  EndpointView,
  EventsView,
  HealthCheckView,
  HealthView,
  HeldView,
  InboundStats,
  LimitsView,
  LimitView,
  OutboundStats,
  OutlierView,
  RegistryReading,
  RequestsView,
  RequestView,
  RouteView,
  ServerInfo,
  ServiceView,
  SnapshotView,
  StackView,
  StatsView,
  VirtualHostView,
} from "./views.js";
export type { XdsReading, XdsTypeReading } from "./xds-reading.js";
