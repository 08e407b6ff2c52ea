/** Resources as a control plane would write them, in bytes. */

import { DISCOVERY } from "../generated/discovery.js";
import { ENVOY } from "../generated/envoy.js";
import type { Message } from "../proto/decode.js";
import { encodeMessage } from "../proto/encode.js";
import { Schema } from "../proto/schema.js";
import { ASSIGNMENT, CLUSTER, HTTP_MANAGER, LISTENER, ROUTE_CONFIGURATION, ROUTER } from "./urls.js";

const SCHEMA = new Schema(ENVOY, DISCOVERY);

export function bytesOf(type: string, message: Message): Uint8Array {
  return encodeMessage(SCHEMA, type, message);
}

export function cluster(name: string, edsName = name, more: Message = {}): Uint8Array {
  return bytesOf(CLUSTER, {
    name,
    type: "EDS",
    eds_cluster_config: { eds_config: { ads: {} }, service_name: edsName },
    ...more,
  });
}

export const ROUTER_FILTER = { name: "router", typed_config: { "@type": ROUTER } };

export function manager(more: Message = {}): Message {
  return { "@type": HTTP_MANAGER, http_filters: [ROUTER_FILTER], ...more };
}

/** As istiod has them for sidecars. */
export function httpListener(name: string, port: number, table: string): Uint8Array {
  const rds = { config_source: { ads: {} }, route_config_name: table };
  return bytesOf(LISTENER, {
    name,
    address: { socket_address: { address: "0.0.0.0", port_value: port } },
    traffic_direction: "OUTBOUND",
    filter_chains: [{ filters: [{ name: "http", typed_config: manager({ rds }) }] }],
  });
}

/** One route for everything, by domain. */
export function routes(name: string, clusters: Readonly<Record<string, string>>): Uint8Array {
  const hosts = Object.entries(clusters).map(([domain, to]) => ({
    name: domain,
    domains: [domain],
    routes: [{ match: { prefix: "/" }, route: { cluster: to } }],
  }));
  return bytesOf(ROUTE_CONFIGURATION, { name, virtual_hosts: hosts });
}

export function endpoints(name: string, ...addresses: readonly string[]): Uint8Array {
  const list = addresses.map((text) => {
    const [address = "", port = "0"] = text.split(":");
    return { endpoint: { address: { socket_address: { address, port_value: Number(port) } } } };
  });
  return bytesOf(ASSIGNMENT, {
    cluster_name: name,
    endpoints: [{ locality: { region: "r" }, load_balancing_weight: 1, lb_endpoints: list }],
  });
}
