/** A snapshot as one process sees it: names that it has looked up are the addresses they stand for. */

import type { Cluster, EndpointSet, Snapshot } from "@inmesh/model";
import type { Clusters } from "../cluster/clusters.js";

export function snapshotInUse(snapshot: Snapshot, clusters: Clusters): Snapshot {
  return {
    version: snapshot.version,
    revision: snapshot.revision,
    client: snapshot.client,
    mesh: snapshot.mesh,
    mode: snapshot.mode,
    modeResource: snapshot.modeResource,
    get withPolicy() {
      return snapshot.withPolicy && snapshotInUse(snapshot.withPolicy, clusters);
    },
    server: snapshot.server,
    security: snapshot.security,
    services: snapshot.services,
    routes: snapshot.routes,
    get resources() {
      return snapshot.resources;
    },
    problems: snapshot.problems,
    cluster: (name) => snapshot.cluster(name),
    resource: (key) => snapshot.resource?.(key),
    endpoints(cluster: Cluster): EndpointSet {
      const endpoints = clusters.find(cluster.name)?.lookedUp;
      return endpoints === undefined ? snapshot.endpoints(cluster) : { cluster: cluster.name, endpoints };
    },
  };
}
