/** What resolvers and service-defaults say of calling a service, as a DestinationRule. */

import { protocolOf } from "./chain.js";
import { type ClusterPlan, OWN_LABEL, YES } from "./cluster-plan.js";
import type { ConfigEntries, HashKey, LoadBalancer, PassiveHealthCheck, UpstreamPolicy } from "./config-entry.js";

import { durationText } from "./duration-text.js";

type Spec = Readonly<Record<string, unknown>>;

/** Consul's, in ms, where a resolver says none. */
const CONNECT_TIMEOUT_MS = 5_000;
/** Of Envoy where maglev is chosen and its size is not. */
const MAGLEV_TABLE = 65_537;

const H2: ReadonlySet<string> = new Set(["http2", "grpc"]);

export interface RuleInput {
  readonly entries: ConfigEntries;
  readonly plan: Pick<ClusterPlan, "clusters" | "hasGuests">;
  readonly service: string;
  readonly host: string;
  /** What one caller says of its upstream. */
  readonly upstream?: UpstreamPolicy | undefined;
}

/** Undefined where nothing is to be said. */
export function destinationRuleSpec({ entries, plan, service, host, upstream }: RuleInput): Spec | undefined {
  const written = entries.resolvers.get(service);
  const resolver = written?.redirect === undefined ? written : undefined; // nobody gets to the instances of its own
  const clusters = plan.clusters(service);
  const balancer = balancerSpec(resolver?.loadBalancer);
  const outliers = outlierSpec(upstream?.passiveHealthCheck);
  const connectTimeoutMs =
    upstream?.connectTimeoutMs ??
    (resolver === undefined ? undefined : (resolver.connectTimeoutMs ?? CONNECT_TIMEOUT_MS));
  const pool = poolSpec(connectTimeoutMs, upstream, upgradePolicy(entries, service));
  const near = resolver?.byLocality === true;
  const guests = plan.hasGuests(service);
  // Nearness is not Consul's habit unless it is asked for; in Istio outlier detection alone would bring it.
  const watched = outliers !== undefined || near || guests;
  const localities = guests ? { failoverPriority: [`${OWN_LABEL}=${YES}`] } : { enabled: near };
  const loadBalancer = { ...balancer, ...(watched && { localityLbSetting: localities }) };
  const policy = {
    ...(Object.keys(loadBalancer).length > 0 && { loadBalancer }),
    ...(pool && { connectionPool: pool }),
    ...(watched && { outlierDetection: outliers ?? {} }),
  };
  const subsets = clusters.map(({ subset, labels, failoverPriority }) => ({
    name: subset,
    labels,
    ...(failoverPriority.length > 0 && {
      trafficPolicy: {
        loadBalancer: { ...balancer, localityLbSetting: { failoverPriority } },
        outlierDetection: outliers ?? {},
      },
    }),
  }));
  if (subsets.length === 0 && Object.keys(policy).length === 0) return undefined;
  return {
    host,
    ...(Object.keys(policy).length > 0 && { trafficPolicy: policy }),
    ...(subsets.length > 0 && { subsets }),
  };
}

/** Whether services speak HTTP/2 that say nothing of it. */
export function h2ByDefault({ proxy }: ConfigEntries): boolean {
  return proxy !== undefined && H2.has(proxy.protocol);
}

export function h2Spec(host: string): Spec {
  return { host, trafficPolicy: { connectionPool: { http: { h2UpgradePolicy: "UPGRADE" } } } };
}

/** Undefined: HTTP/1.1 unless somebody else says otherwise. */
function upgradePolicy(entries: ConfigEntries, service: string): string | undefined {
  if (H2.has(protocolOf(entries, service))) return "UPGRADE";
  return h2ByDefault(entries) ? "DO_NOT_UPGRADE" : undefined;
}

/** For whatever a caller calls, where no rule is the host's own. */
export function upstreamSpec(entries: ConfigEntries, host: string, upstream: UpstreamPolicy): Spec | undefined {
  const outliers = outlierSpec(upstream.passiveHealthCheck);
  const pool = poolSpec(upstream.connectTimeoutMs, upstream, h2ByDefault(entries) ? "UPGRADE" : undefined);
  if (outliers === undefined && pool === undefined) return undefined;
  return {
    host,
    trafficPolicy: {
      ...(pool && { connectionPool: pool }),
      ...(outliers && { loadBalancer: { localityLbSetting: { enabled: false } }, outlierDetection: outliers }),
    },
  };
}

function balancerSpec(balancer: LoadBalancer | undefined): Spec {
  if (balancer === undefined) return {};
  const { policy, hash, minimumRingSize } = balancer;
  switch (policy) {
    case "random":
      return { simple: "RANDOM" };
    case "round_robin":
      return { simple: "ROUND_ROBIN" };
    case "least_request":
      return { simple: "LEAST_REQUEST" };
    case "ring_hash":
    case "maglev": {
      if (hash === undefined) return { simple: "RANDOM" }; // Envoy's where there is nothing to hash
      const ring = minimumRingSize === undefined ? {} : { minimumRingSize };
      const algorithm = policy === "maglev" ? { maglev: { tableSize: MAGLEV_TABLE } } : { ringHash: ring };
      return { consistentHash: { ...hashSpec(hash), ...algorithm } };
    }
  }
}

function hashSpec(hash: HashKey): Spec {
  switch (hash.kind) {
    case "sourceIp":
      return { useSourceIp: true };
    case "header":
      return { httpHeaderName: hash.name };
    case "queryParameter":
      return { httpQueryParameterName: hash.name };
    case "cookie": {
      const { name, path, ttlMs } = hash;
      return {
        httpCookie: {
          name,
          ...(path && { path }),
          ...(ttlMs !== undefined && { ttl: ttlMs === 0 ? "0s" : durationText(ttlMs) }),
        },
      };
    }
  }
}

function poolSpec(
  connectTimeoutMs: number | undefined,
  upstream: UpstreamPolicy | undefined,
  h2UpgradePolicy: string | undefined,
): Spec | undefined {
  const { maxConnections, maxPendingRequests, maxConcurrentRequests } = upstream ?? {};
  const tcp = {
    ...(maxConnections !== undefined && { maxConnections }),
    ...(connectTimeoutMs !== undefined && { connectTimeout: durationText(connectTimeoutMs) }),
  };
  const http = {
    ...(maxPendingRequests !== undefined && { http1MaxPendingRequests: maxPendingRequests }),
    ...(maxConcurrentRequests !== undefined && { http2MaxRequests: maxConcurrentRequests }),
    ...(h2UpgradePolicy !== undefined && { h2UpgradePolicy }),
  };
  const pool = {
    ...(Object.keys(tcp).length > 0 && { tcp }),
    ...(Object.keys(http).length > 0 && { http }),
  };
  return Object.keys(pool).length === 0 ? undefined : pool;
}

/** Undefined: nobody is left out. */
function outlierSpec(check: PassiveHealthCheck | undefined): Spec | undefined {
  if (check === undefined || check.maxFailures === 0) return undefined;
  const { intervalMs, maxFailures, baseEjectionTimeMs, maxEjectionPercent } = check;
  return {
    ...(maxFailures !== undefined && { consecutive5xxErrors: maxFailures }),
    ...(intervalMs !== undefined && { interval: durationText(intervalMs) }),
    ...(baseEjectionTimeMs !== undefined && { baseEjectionTime: durationText(baseEjectionTimeMs) }),
    ...(maxEjectionPercent !== undefined && { maxEjectionPercent }),
  };
}
