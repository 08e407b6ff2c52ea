/**
 * Policy in force in the shape of Envoy's `/config_dump`, for people and tools who know that one: GET /config_dump.
 * Field names are Envoy's; what Envoy has no field for is under `metadata.filter_metadata.inmesh`, in our own words.
 */

import {
  type Cluster,
  clusterName,
  type Destination,
  type Endpoint,
  type Resource,
  type ResourceRef,
  type Route,
  resourceKey,
  type Service,
  type Snapshot,
  type VirtualHost,
} from "@inmesh/model";
import { tlsText } from "../explain/tls-text.js";

/** Of one section: `{"@type": …, …}`. */
export interface ConfigSection {
  readonly "@type": string;
  readonly [field: string]: unknown;
}

/** GET /config_dump */
export interface ConfigDump {
  readonly configs: readonly ConfigSection[];
}

/** `bootstrap`, `clusters`, …: what `inmesh proxy-config` calls them. */
export const CONFIG_TYPES = {
  bootstrap: "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump",
  clusters: "type.googleapis.com/envoy.admin.v3.ClustersConfigDump",
  listeners: "type.googleapis.com/envoy.admin.v3.ListenersConfigDump",
  routes: "type.googleapis.com/envoy.admin.v3.RoutesConfigDump",
  endpoints: "type.googleapis.com/envoy.admin.v3.EndpointsConfigDump",
  secrets: "type.googleapis.com/envoy.admin.v3.SecretsConfigDump",
} as const;

export type ConfigKind = keyof typeof CONFIG_TYPES;

const CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
const ASSIGNMENT = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
const ROUTES = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";

/** Parts of a kind by name, before they are wrapped: `name_regex` chooses among them. */
export interface NamedConfig {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
}

const TYPES: Readonly<Record<Service["resolution"], string>> = {
  static: "EDS",
  dns: "STRICT_DNS",
  dnsRoundRobin: "LOGICAL_DNS",
  passThrough: "ORIGINAL_DST",
  dynamicDns: "DYNAMIC_FORWARD_PROXY",
};

const BALANCERS: Readonly<Record<string, string>> = {
  roundRobin: "ROUND_ROBIN",
  random: "RANDOM",
  leastRequest: "LEAST_REQUEST",
  passThrough: "CLUSTER_PROVIDED",
};

/** Every cluster that calls can go to: of each port of each service, and of each subset that a DestinationRule names. */
export function clustersOf(snapshot: Snapshot): readonly Cluster[] {
  const subsets = subsetsByHost(snapshot);
  const clusters: Cluster[] = [];
  for (const { host, name, ports } of snapshot.services.values()) {
    const names = new Set(["", ...(subsets.get(host) ?? []), ...(subsets.get(name) ?? [])]);
    for (const { number } of ports) {
      for (const subset of names) {
        const cluster = snapshot.cluster(clusterName(number, subset, host));
        if (cluster !== undefined) clusters.push(cluster);
      }
    }
  }
  return clusters;
}

export function clusterConfigs(snapshot: Snapshot): readonly NamedConfig[] {
  return clustersOf(snapshot).map((cluster) => ({ name: cluster.name, config: clusterConfig(cluster) }));
}

export function endpointConfigs(snapshot: Snapshot): readonly NamedConfig[] {
  return clustersOf(snapshot).map((cluster) => ({
    name: cluster.name,
    config: { "@type": ASSIGNMENT, cluster_name: cluster.name, endpoints: localities(snapshot, cluster) },
  }));
}

/** One route configuration for each port, as Istio names them. */
export function routeConfigs({ routes }: Snapshot): readonly NamedConfig[] {
  const byPort = new Map<number, VirtualHost[]>();
  for (const host of routes.all()) {
    const known = byPort.get(host.port);
    if (known === undefined) byPort.set(host.port, [host]);
    else known.push(host);
  }
  return [...byPort].map(([port, hosts]) => ({
    name: `${port}`,
    config: { "@type": ROUTES, name: `${port}`, virtual_hosts: hosts.map(virtualHostConfig) },
  }));
}

/** `metadata`, where Istio puts the document that a part comes from. */
export function istioMetadata(resource: ResourceRef | null | undefined, own: Readonly<Record<string, unknown>> = {}) {
  const path = resource == null ? undefined : resourcePath(resource);
  if (path === undefined && Object.keys(own).length === 0) return {};
  return {
    metadata: {
      filter_metadata: {
        ...(path !== undefined && { istio: { config: path } }),
        ...(Object.keys(own).length > 0 && { inmesh: own }),
      },
    },
  };
}

/** `/apis/networking.istio.io/v1/namespaces/shop/virtual-service/reviews`, as Istio writes it. */
function resourcePath(resource: ResourceRef): string {
  const [kind = "", namespace = "", name = ""] = resourceKey(resource).split("/");
  const dashed = kind.replace(/(?<=[a-z])(?=[A-Z])/g, "-").toLowerCase();
  return `/apis/networking.istio.io/v1/namespaces/${namespace}/${dashed}/${name}`;
}

function clusterConfig(cluster: Cluster): Readonly<Record<string, unknown>> {
  const { name, service, policy, resource } = cluster;
  const { connection, limits, outlier, loadBalancer, hash, tls } = policy;
  const balancer = hash === undefined ? BALANCERS[loadBalancer] : hash.kind === "maglev" ? "MAGLEV" : "RING_HASH";
  return {
    "@type": CLUSTER,
    name,
    type: TYPES[service.resolution],
    connect_timeout: seconds(connection.connectTimeoutMs),
    lb_policy: balancer ?? "LEAST_REQUEST",
    ...(limits && {
      circuit_breakers: {
        thresholds: [
          {
            max_connections: limits.maxConnections,
            max_pending_requests: limits.maxPendingRequests,
            max_requests: limits.maxRequests,
            max_retries: limits.maxRetries,
          },
        ],
      },
    }),
    ...(outlier && {
      outlier_detection: {
        consecutive_5xx: outlier.consecutiveErrors,
        consecutive_gateway_failure: outlier.consecutiveGatewayErrors,
        interval: seconds(outlier.intervalMs),
        base_ejection_time: seconds(outlier.baseEjectionMs),
        max_ejection_percent: Math.round(outlier.maxEjectionRatio * 100),
      },
    }),
    ...istioMetadata(resource, {
      services: [{ host: service.host, name: service.name, namespace: service.namespace }],
      tls: tlsText(cluster),
      ...(tls.sni !== "" && { sni: tls.sni }),
      ...(balancer === undefined && { load_balancer: loadBalancer }),
    }),
  };
}

function localities(snapshot: Snapshot, cluster: Cluster): readonly unknown[] {
  const groups = new Map<string, { locality: unknown; lb_endpoints: unknown[] }>();
  for (const endpoint of snapshot.endpoints(cluster).endpoints) {
    const { region = "", zone = "", subZone = "" } = endpoint.locality ?? {};
    const key = `${region}/${zone}/${subZone}`;
    const group = groups.get(key) ?? {
      locality: { ...(region && { region }), ...(zone && { zone }), ...(subZone && { sub_zone: subZone }) },
      lb_endpoints: [],
    };
    group.lb_endpoints.push(endpointConfig(endpoint));
    groups.set(key, group);
  }
  return [...groups.values()];
}

function endpointConfig({ address, port, weight, labels, workloads }: Endpoint): unknown {
  return {
    endpoint: { address: { socket_address: { address, port_value: port } } },
    health_status: "HEALTHY",
    load_balancing_weight: weight,
    ...istioMetadata(undefined, { labels: { ...labels }, workloads: [...workloads] }),
  };
}

function virtualHostConfig({ name, port, service, resource, routes }: VirtualHost): unknown {
  const host = name.slice(0, name.lastIndexOf(":"));
  const short =
    service === undefined || service.host !== host ? [] : [service.name, `${service.name}.${service.namespace}`];
  const domains = [host, ...short].flatMap((domain) => [domain, `${domain}:${port}`]);
  return {
    name,
    domains: [...new Set(domains)],
    routes: routes.map((route) => routeConfig(route)),
    ...istioMetadata(resource),
  };
}

function routeConfig(route: Route): unknown {
  const { name, matches, timeoutMs, retry, resource, path } = route;
  return {
    ...(name !== "" && { name }),
    match: matches.length === 0 ? { prefix: "/" } : { inmesh: matches.map(({ text }) => text) },
    ...actionConfig(route, {
      timeout: seconds(timeoutMs),
      ...(retry.maxAttempts > 1 && {
        retry_policy: { retry_on: retry.tokens.join(","), num_retries: retry.maxAttempts - 1 },
      }),
    }),
    ...istioMetadata(resource, path === "" ? {} : { field: path }),
  };
}

function actionConfig({ action }: Route, common: Readonly<Record<string, unknown>>): Record<string, unknown> {
  if (action.kind === "redirect") return { redirect: { response_code: action.status } };
  if (action.kind === "directResponse") return { direct_response: { status: action.status } };
  const [only, ...others] = action.destinations;
  if (only !== undefined && others.length === 0) return { route: { cluster: only.cluster, ...common } };
  const weighted = ({ cluster, weight }: Destination) => ({ name: cluster, weight });
  return { route: { weighted_clusters: { clusters: action.destinations.map(weighted) }, ...common } };
}

/** By host as the rules write it, or its first label. A snapshot has no list of them. */
function subsetsByHost(snapshot: Snapshot): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  for (const key of snapshot.resources.keys()) {
    if (!key.startsWith("DestinationRule/")) continue;
    const { host, subsets } = (snapshot.resource?.(key) as SubsetRule | undefined)?.spec ?? {};
    if (typeof host !== "string" || !Array.isArray(subsets)) continue;
    for (const place of [host, host.split(".")[0] ?? host]) {
      const names = found.get(place) ?? new Set<string>();
      for (const subset of subsets) if (typeof subset?.name === "string") names.add(subset.name);
      found.set(place, names);
    }
  }
  return found;
}

type SubsetRule = Resource & { readonly spec?: { readonly host?: unknown; readonly subsets?: unknown } };

/** As protobuf's JSON writes durations. */
function seconds(ms: number): string {
  return `${ms / 1_000}s`;
}
