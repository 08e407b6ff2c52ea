/** Istio's names for the endpoints behind a port, and what of an assignment matters here. */

import type { AssignedEndpoint } from "../client/index.js";

export function assignmentName(port: number, subset: string, host: string): string {
  return `outbound|${port}|${subset}|${host}`;
}

/** Envoy's `HealthStatus`: what is not known to be ill may be called, and what is about to leave gets nothing new. */
export function mayBeCalled({ health }: AssignedEndpoint): boolean {
  return health === "unknown" || health === "healthy" || health === "degraded";
}

/** It takes TLS of the mesh. */
export function takesTls({ metadata }: AssignedEndpoint): boolean {
  return metadata.tlsMode === "istio";
}

/** Of a Deployment, where the endpoint is a pod; empty: it has none. */
export function workloadName({ metadata }: AssignedEndpoint): string {
  return metadata.workload.split(";")[0] ?? "";
}
