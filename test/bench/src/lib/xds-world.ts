/** What a control plane serves of services called `service-0`, `service-1`, …: listener, routes, cluster and endpoints each. */

import type { AnyJson } from "@inmesh-test/xds/ads-server";

const TYPE = "type.googleapis.com/envoy";
const ROUTER = {
  name: "router",
  typedConfig: { "@type": `${TYPE}.extensions.filters.http.router.v3.Router` },
};

export const serviceName = (index: number): string => `service-${index}`;

/** @param port of the one server that all of them have on 127.0.0.1 */
export function xdsWorld(services: number, port: number): AnyJson[] {
  return Array.from({ length: services }, (_, index) => serviceOf(serviceName(index), port)).flat();
}

function serviceOf(name: string, portValue: number): AnyJson[] {
  const manager = {
    "@type": `${TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    rds: { configSource: { ads: {} }, routeConfigName: name },
    httpFilters: [ROUTER],
  };
  const address = { socketAddress: { address: "127.0.0.1", portValue } };
  return [
    { "@type": `${TYPE}.config.listener.v3.Listener`, name, apiListener: { apiListener: manager } },
    {
      "@type": `${TYPE}.config.route.v3.RouteConfiguration`,
      name,
      virtualHosts: [{ name, domains: ["*"], routes: [{ match: { prefix: "" }, route: { cluster: name } }] }],
    },
    {
      "@type": `${TYPE}.config.cluster.v3.Cluster`,
      ...{ name, type: "EDS", edsClusterConfig: { edsConfig: { ads: {} } } },
      circuitBreakers: { thresholds: [{ maxRequests: 10_000 }] },
    },
    {
      "@type": `${TYPE}.config.endpoint.v3.ClusterLoadAssignment`,
      clusterName: name,
      endpoints: [{ locality: { region: "eu" }, loadBalancingWeight: 1, lbEndpoints: [{ endpoint: { address } }] }],
    },
  ];
}
