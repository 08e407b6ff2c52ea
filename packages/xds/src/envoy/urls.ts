/** Types of resources, as they stand after the last `/` of a type URL. */

export const LISTENER = "envoy.config.listener.v3.Listener";
export const ROUTE_CONFIGURATION = "envoy.config.route.v3.RouteConfiguration";
export const CLUSTER = "envoy.config.cluster.v3.Cluster";
export const ASSIGNMENT = "envoy.config.endpoint.v3.ClusterLoadAssignment";
export const HTTP_MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
export const ROUTER = "envoy.extensions.filters.http.router.v3.Router";
