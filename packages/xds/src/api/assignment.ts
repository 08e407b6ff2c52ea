/** What is needed here of a ClusterLoadAssignment: which endpoints a port of a service has. */

import type { Locality } from "@inmesh/model";

/** Of one name `outbound|port|subset|host`. */
export interface Assignment {
  readonly groups: readonly EndpointGroup[];
}

export interface EndpointGroup {
  readonly locality: Locality;
  readonly endpoints: readonly AssignedEndpoint[];
}

export interface AssignedEndpoint {
  /** IP, or `unix://` path. */
  readonly address: string;
  readonly port: number;
  /** Share of calls among its kind. */
  readonly weight: number;
  /** May be called. */
  readonly healthy: boolean;
  /** Takes TLS of the mesh: Istio's `tlsMode`. */
  readonly member: boolean;
  /** Its name as metadata say it, such as that of a Deployment; empty: none. */
  readonly workload: string;
}

/** Istio's name for the endpoints behind a port. */
export function assignmentName(port: number, subset: string, host: string): string {
  return `outbound|${port}|${subset}|${host}`;
}
