/** All policy and all endpoints as one client sees them: immutable, versioned, shared structurally with its predecessor. */

import type { Problem } from "../problem.js";
import type { Resource, ResourceRef } from "../resource.js";
import type { Cluster } from "./cluster.js";
import type { ServerPolicy } from "./resilience.js";
import type { RouteTable } from "./route.js";
import type { SecurityPolicy } from "./security.js";
import type { TelemetryPolicy } from "./telemetry.js";
import type { EndpointSet, Locality, Service, ServiceRef } from "./workload.js";

/** Whose view a snapshot is: visibility, sourceLabels, sourceNamespace and Sidecar scope are decided at compile time. */
export interface ClientContext {
  readonly namespace: string;
  /** Short name of the calling service; empty for an anonymous caller. */
  readonly service: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount?: string;
  readonly locality?: Locality;
}

/**
 * `off` drops traffic policy and keeps naming, picking and security. `observe` does the same and works out beside it what
 * `on` would have done.
 */
export type Mode = "off" | "observe" | "on";

/** MeshConfig after defaults, as far as this version honours it. */
export interface MeshSettings {
  /** Unknown hosts: passed through, or refused with 502. */
  readonly outboundPolicy: "ALLOW_ANY" | "REGISTRY_ONLY";
  readonly rootNamespace: string;
  readonly trustDomain: string;
  readonly domain: string;
  readonly connectTimeoutMs: number;
  /** A name is looked up this often where its answer names no TTL, or none came, in ms. */
  readonly dnsRefreshMs: number;
}

export interface Snapshot {
  /** Grows by one with every publication in this process; 0 before the first. */
  readonly version: number;
  /** Hash over the documents it was made from, hex: equal in every process that runs the same policy. */
  readonly revision: string;
  readonly client: ClientContext;
  readonly mesh: MeshSettings;
  readonly mode: Mode;
  /** The MeshMode that says so; absent where none does. */
  readonly modeResource?: ResourceRef | undefined;
  /** The Sidecar that narrows what the client sees; absent where none does. */
  readonly sidecar?: ResourceRef | undefined;
  /**
   * Services that the Sidecar names and whose instances a registry tells only when they are in use: they are as good as
   * called. At most 200; absent or empty where there are none.
   */
  readonly egress?: readonly ServiceRef[];
  /** The same documents with every policy in force, whatever the mode; absent in mode `on`, where this snapshot is that. */
  readonly withPolicy?: Snapshot | undefined;
  /** For the process's own servers; nothing in it while policy is off. */
  readonly server: ServerPolicy;
  /** For the same servers, in every mode. The same object as in the last snapshot unless something in it changed. */
  readonly security: SecurityPolicy;
  /** In every mode; absent: `NO_TELEMETRY_POLICY`. The same object as in the last snapshot unless something in it changed. */
  readonly telemetry?: TelemetryPolicy;
  /** By host, as visible to the client. */
  readonly services: ReadonlyMap<string, Service>;
  readonly routes: RouteTable;
  /** Cluster by name, compiled on first use; undefined is Envoy's NC (503). */
  cluster(name: string): Cluster | undefined;
  /** Endpoints of a cluster; the same object as in the last snapshot unless they changed. */
  endpoints(cluster: Cluster): EndpointSet;
  /** The document itself by `Kind/ns/name`, for saying where a rule is written; absent where policy arrives compiled. */
  resource?(key: string): Resource | undefined;
  /** Content hash by `Kind/ns/name` of every document in force. */
  readonly resources: ReadonlyMap<string, string>;
  readonly problems: readonly Problem[];
}
