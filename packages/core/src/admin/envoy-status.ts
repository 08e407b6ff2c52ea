/** Endpoints and listeners in the JSON of Envoy's `/clusters` and `/listeners`, which istioctl and others read. */

import type { Cluster, Snapshot } from "@inmesh/model";
import type { ClustersView } from "./views.js";

/** envoy.admin.v3.Clusters, field cluster_statuses. @param live which endpoints get no calls now, where somebody has called */
export function clusterStatuses(
  snapshot: Snapshot,
  clusters: readonly Cluster[],
  live: ClustersView,
): readonly unknown[] {
  const called = new Map(live.clusters.map((cluster) => [cluster.name, cluster]));
  return clusters.map((cluster) => {
    const views = new Map(called.get(cluster.name)?.endpoints.map((endpoint) => [endpoint.id, endpoint]));
    return {
      name: cluster.name,
      added_via_api: true,
      host_statuses: snapshot.endpoints(cluster).endpoints.map(({ id, address, port, weight, locality, dnsName }) => {
        const { out = [], ejectedForMs = 0, inFlight = 0, attempts = 0, failures = 0 } = views.get(id) ?? {};
        const isSick = out.some(({ by }) => by === "healthCheck");
        const { region = "", zone = "", subZone = "" } = locality ?? {};
        return {
          address: { socket_address: { address, port_value: port } },
          stats: [
            { name: "rq_active", value: `${inFlight}`, type: "GAUGE" },
            { name: "rq_total", value: `${attempts}` },
            { name: "rq_error", value: `${failures}` },
            { name: "rq_success", value: `${attempts - failures}` },
          ],
          health_status: {
            eds_health_status: "HEALTHY",
            ...(isSick && { failed_active_health_check: true }),
            ...(!isSick && (ejectedForMs > 0 || out.length > 0) && { failed_outlier_check: true }),
          },
          weight,
          ...(dnsName !== undefined && dnsName !== "" && { hostname: dnsName }),
          ...(region !== "" && { locality: { region, zone, sub_zone: subZone } }),
        };
      }),
    };
  });
}

/** envoy.admin.v3.Listeners, field listener_statuses. */
export function listenerStatuses(listeners: readonly { readonly address: string; readonly port: number }[]) {
  return listeners.map(({ address, port }) => ({
    name: `${address}_${port}`,
    local_address: { socket_address: { address, port_value: port } },
  }));
}
