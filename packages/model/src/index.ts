export { type Problem, type Severity, worstSeverity } from "./problem.js";
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
export {
  type Cluster,
  type ConnectionPolicy,
  clusterName,
  type LoadBalancerKind,
  type TrafficPolicy,
} from "./snapshot/cluster.js";
export type {
  CorsPolicy,
  Destination,
  DirectResponseAction,
  FaultPolicy,
  ForwardAction,
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
  VirtualHost,
} from "./snapshot/route.js";
export type { ClientContext, MeshSettings, Mode, Snapshot } from "./snapshot/snapshot.js";
export type {
  Endpoint,
  EndpointSet,
  Locality,
  Protocol,
  Resolution,
  Service,
  ServicePort,
  Workload,
  WorkloadPort,
} from "./snapshot/workload.js";
