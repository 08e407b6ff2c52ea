/** Where the endpoints of a cluster are, as the endpoint discovery service says it. */

import type { DroppedShare } from "@inmesh/model";

export type { DroppedShare };

/** envoy.config.core.v3.HealthStatus */
export type EndpointHealth = "unknown" | "healthy" | "unhealthy" | "draining" | "timeout" | "degraded";

export interface AssignedEndpoint {
  /** An IP, or a name where the server may send one. */
  readonly address: string;
  readonly port: number;
  /** Share of the calls within its locality; 1 where none is given. */
  readonly weight: number;
  readonly health: EndpointHealth;
  /** Envoy's `hostname`; empty where there is none. */
  readonly hostname: string;
  readonly metadata: EndpointMetadata;
}

/** Of the metadata, what anybody here reads. Texts are empty where they are not set. */
export interface EndpointMetadata {
  /** `istio` under `envoy.transport_socket_match`: it takes mTLS. */
  readonly tlsMode: string;
  /** Istio's `name;namespace;canonical service;revision;cluster`. */
  readonly workload: string;
  /** Of a ring or a maglev table, in place of the address. */
  readonly hashKey: string;
}

export interface LocalityEndpoints {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
  /** 0 is asked first. */
  readonly priority: number;
  /** Share of the calls within the priority; 0: none was given. */
  readonly weight: number;
  readonly endpoints: readonly AssignedEndpoint[];
}

export interface ClusterAssignment {
  readonly name: string;
  readonly localities: readonly LocalityEndpoints[];
  /** Percent; Envoy's `overprovisioning_factor`. */
  readonly overprovisioningPercent: number;
  readonly drops: readonly DroppedShare[];
  /** What cannot be called from here, and why; such endpoints are left out. */
  readonly unusable: readonly string[];
}

/** Whether both mean the same, whatever their bytes. */
export function sameAssignment(one: ClusterAssignment, other: ClusterAssignment): boolean {
  return (
    one.overprovisioningPercent === other.overprovisioningPercent &&
    sameList(one.localities, other.localities, sameLocality) &&
    sameList(one.drops, other.drops, (a, b) => a.category === b.category && a.ratio === b.ratio) &&
    sameList(one.unusable, other.unusable, (a, b) => a === b)
  );
}

function sameLocality(one: LocalityEndpoints, other: LocalityEndpoints): boolean {
  return (
    one.region === other.region &&
    one.zone === other.zone &&
    one.subZone === other.subZone &&
    one.priority === other.priority &&
    one.weight === other.weight &&
    sameList(one.endpoints, other.endpoints, sameEndpoint)
  );
}

function sameEndpoint(one: AssignedEndpoint, other: AssignedEndpoint): boolean {
  return (
    one.address === other.address &&
    one.port === other.port &&
    one.weight === other.weight &&
    one.health === other.health &&
    one.hostname === other.hostname &&
    (one.metadata === other.metadata || sameMetadata(one.metadata, other.metadata))
  );
}

function sameMetadata(one: EndpointMetadata, other: EndpointMetadata): boolean {
  return one.tlsMode === other.tlsMode && one.workload === other.workload && one.hashKey === other.hashKey;
}

function sameList<T>(one: readonly T[], other: readonly T[], same: (a: T, b: T) => boolean): boolean {
  return one.length === other.length && one.every((each, index) => same(each, other[index]!)); // of that length
}
