export type { AuthorityServer } from "./ads/authority.js";
export { GrpcTransport, type GrpcTransportOptions, type ServerAccess, type ServerTls } from "./ads/grpc-transport.js";
export { encodeNode, type XdsNode } from "./ads/node.js";
export type { AdsMode, AdsStream, AdsStreamListener, AdsTransport } from "./ads/transport.js";
export { AdsClient, type AdsClientOptions } from "./ads-client.js";
export { type ParseXdsTargetOptions, parseXdsTarget } from "./bootstrap/parse-xds-target.js";
export type {
  BootstrapNode,
  CertificateFiles,
  XdsAuthority,
  XdsProfile,
  XdsServer,
  XdsServerTls,
  XdsTarget,
} from "./bootstrap/target.js";
export { type CreateXdsClientOptions, createXdsClient } from "./create-xds-client.js";
export type {
  AssignedEndpoint,
  ClusterAssignment,
  DroppedShare,
  EndpointHealth,
  EndpointMetadata,
  LocalityEndpoints,
} from "./endpoint/assignment.js";
export { createEndpointType, type EndpointRules } from "./endpoint/endpoint-type.js";
export { firstText } from "./first-text.js";
export { KeptResources, type KeptResourcesOptions } from "./kept-resources.js";
export type {
  KnownOfResource,
  ResourceChanges,
  ResourceState,
  ResourceStatus,
  ResourceType,
  SentBytes,
  Watch,
  WatchOptions,
  XdsClient,
  XdsStatus,
  XdsTraffic,
} from "./watch.js";
