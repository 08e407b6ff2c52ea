/** Configuration of an Envoy that is asked what it does with a rule: one listener, one virtual host for everything, no TLS. */

const TYPE = "type.googleapis.com/envoy.extensions";

/** An address on this machine; port 0 is whichever is free. */
export const at = (port: number) => ({ socket_address: { address: "127.0.0.1", port_value: port } });

/**
 * @param name of the node
 * @param routes of its only virtual host, as Envoy writes them
 * @param clusters that they name
 */
export function envoyConfiguration(name: string, routes: readonly unknown[], clusters: readonly unknown[]) {
  const manager = {
    "@type": `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: "in",
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes }] },
    http_filters: [{ name: "router", typed_config: { "@type": `${TYPE}.filters.http.router.v3.Router` } }],
  };
  return {
    node: { id: name, cluster: name },
    admin: { address: at(0) },
    static_resources: {
      listeners: [
        { name: "in", address: at(0), filter_chains: [{ filters: [{ name: "http", typed_config: manager }] }] },
      ],
      clusters,
    },
  };
}
