/**
 * Version of the policy schema: grows by one whenever a kind or a field is added. A process writes it into its lease, so
 * that `apply` can refuse what a running process could only half understand.
 */

import type { Kind } from "./resource.js";

export const SCHEMA_VERSION = 7;

/** Version that brought each kind. */
const SINCE: Readonly<Record<Kind, number>> = {
  VirtualService: 1,
  DestinationRule: 1,
  ServiceEntry: 1,
  WorkloadEntry: 1,
  WorkloadGroup: 1,
  Sidecar: 1,
  MeshConfig: 1,
  Service: 1,
  Namespace: 1,
  MeshMode: 1,
  HTTPRoute: 2,
  GRPCRoute: 3,
  CircuitBreaker: 4,
  Resilience: 4,
  RateLimit: 4,
  PeerAuthentication: 5,
  RequestAuthentication: 5,
  AuthorizationPolicy: 5,
  Telemetry: 6,
};

/** Schema version a reader needs for documents of this kind; a kind unknown here needs a newer one than ours. */
export function schemaVersionNeeded(kind: string): number {
  return Object.hasOwn(SINCE, kind) ? SINCE[kind as Kind] : SCHEMA_VERSION + 1;
}
