/** The snapshot in force, as the admin endpoint shows it. */

import { clusterName, type Problem, type Service, type Snapshot } from "@inmesh/model";
import { virtualHostViews } from "./routing-view.js";
import type { ServiceView, SnapshotView } from "./views.js";

/**
 * @param snapshot undefined before the first one: the view is then empty, version 0
 * @param problems of the registry and of what it holds, wherever they were found
 */
export function snapshotView(snapshot: Snapshot | undefined, problems: readonly Problem[]): SnapshotView {
  if (snapshot === undefined) {
    return {
      version: 0,
      revision: "",
      mode: "on",
      outboundPolicy: "ALLOW_ANY",
      services: [],
      virtualHosts: [],
      resources: {},
      problems,
    };
  }
  return {
    version: snapshot.version,
    revision: snapshot.revision,
    mode: snapshot.mode,
    outboundPolicy: snapshot.mesh.outboundPolicy,
    services: [...snapshot.services.values()].map((service) => serviceView(snapshot, service)),
    virtualHosts: virtualHostViews(snapshot),
    resources: Object.fromEntries(snapshot.resources),
    problems,
  };
}

function serviceView(snapshot: Snapshot, service: Service): ServiceView {
  return {
    host: service.host,
    name: service.name,
    namespace: service.namespace,
    ports: service.ports.map(({ number, name, protocol }) => ({ number, name, protocol })),
    resolution: service.resolution,
    location: service.location,
    endpoints: endpointCount(snapshot, service),
    ...(service.pending && { pending: service.pending }),
    resource: service.resource,
  };
}

/** Workload addresses behind any port: an instance with two ports counts once. */
function endpointCount(snapshot: Snapshot, { host, ports }: Service): number {
  const workloads = new Set<string>();
  for (const { number } of ports) {
    const cluster = snapshot.cluster(clusterName(number, "", host));
    if (cluster === undefined) continue;
    for (const { id, address, workloads: behind } of snapshot.endpoints(cluster).endpoints) {
      workloads.add(behind[0] === undefined ? id : `${address} ${behind[0]}`);
    }
  }
  return workloads.size;
}
