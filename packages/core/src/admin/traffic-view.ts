/** Clusters, endpoints and counters of the calls this process makes. */

import type { ClusterRuntime } from "../cluster/cluster-runtime.js";
import type { EndpointState } from "../cluster/endpoint-state.js";
import { plaintextReason, tlsText } from "../explain/tls-text.js";
import type { EndpointHealth } from "../health/endpoint-health.js";
import { outsOf } from "../health/out-story.js";
import type { EndpointOutlier } from "../outlier/endpoint-outlier.js";
import type { Engine } from "../stack/engine.js";
import { breakersView, limitsView } from "./limits-view.js";
import type { ServerSecurityView } from "./security-view.js";
import type {
  ClustersView,
  EndpointView,
  HealthCheckView,
  InboundStats,
  OutboundStats,
  OutlierView,
  RegistryReading,
  StatsView,
} from "./views.js";

/** @param suspects see `suspectsOf` */
export function clustersView({ clusters, clock }: Engine, suspects: ReadonlyMap<string, number> = NONE): ClustersView {
  const now = clock.now();
  return {
    clusters: clusters
      .all()
      .map(({ config, stats, states, usable, panic, retriesLeft, limits, breakers, balancing }) => ({
        name: config.name,
        host: config.host,
        port: config.port,
        subset: config.subset,
        loadBalancer: config.policy.loadBalancer,
        ...(balancing && { balancing }),
        tls: tlsText(config),
        stats: stats.read(),
        ...(retriesLeft !== undefined && { retriesLeft }),
        limits: limitsView(limits, now),
        ...(breakers && { breakers: breakersView(breakers, now) }),
        ...{ usable: usable.length, panic },
        ...(config.service.pending && { pending: config.service.pending }),
        endpoints: states.map((state) => endpointView(state, now, suspects)),
      })),
  };
}

const NONE: ReadonlyMap<string, number> = new Map();

export interface StatsOptions {
  readonly service: string;
  readonly namespace: string;
  readonly inbound: InboundStats;
  readonly loop?: StatsView["loop"];
  readonly registry?: RegistryReading;
  readonly security?: ServerSecurityView;
  /** Of the process. @default it has none */
  readonly hasIdentity?: boolean;
}

export function statsView(
  { clusters, clock, rehearsal, mirrors, unrouted, gate, guard, ruleStats, codeRoutes }: Engine,
  { service, namespace, inbound, loop, registry, security, hasIdentity = false }: StatsOptions,
): StatsView {
  const outbound = clusters.all().map((cluster) => outboundStats(cluster, hasIdentity));
  const beside = { would: rehearsal.read(), mirrors: mirrors.read() };
  const gated = gate.read();
  const rules = ruleStats.read();
  return {
    ...{ atMs: clock.now(), service, namespace, outbound, inbound, unrouted, ...beside },
    ...(registry && { registry }),
    ...(rules.length > 0 && { rules }),
    ...(gated && { gate: gated }),
    ...(guard.active && { access: guard.read() }),
    ...(security && { security }),
    ...(loop && { loop }),
    codeRoutes: codeRoutes.read(),
  };
}

function outboundStats({ config, stats, states }: ClusterRuntime, hasIdentity: boolean): OutboundStats {
  return {
    cluster: config.name,
    host: config.host,
    subset: config.subset,
    stats: stats.read(),
    cells: stats.latency.cells(),
    endpoints: states.map(({ endpoint, attempts, failures }) => ({
      id: endpoint.id,
      version: endpoint.labels["version"] ?? "",
      attempts,
      failures,
      plaintext: plaintextReason(config, endpoint, hasIdentity),
    })),
  };
}

function endpointView(state: EndpointState, now: number, suspects: ReadonlyMap<string, number>): EndpointView {
  const { endpoint, inFlight, attempts, failures, latencyMs, ejectedUntil, outlierUntil, outlier, health } = state;
  return {
    id: endpoint.id,
    address: endpoint.address,
    dnsName: endpoint.dnsName ?? "",
    version: endpoint.labels["version"] ?? "",
    labels: { ...endpoint.labels },
    weight: endpoint.weight,
    inFlight,
    attempts,
    failures,
    latencyMs,
    ejectedForMs: Math.max(0, ejectedUntil - now, outlierUntil - now),
    out: outsOf(state, now),
    ...suspicion(endpoint.workloads, suspects),
    ...(outlier && { outlier: outlierView(outlier) }),
    ...(health && { check: checkView(health, now) }),
    workloads: endpoint.workloads,
  };
}

/** An address is doubtful when all who share it are. */
function suspicion(workloads: readonly string[], suspects: ReadonlyMap<string, number>): { suspectForMs?: number } {
  const left = suspects.size === 0 ? [] : workloads.flatMap((name) => suspects.get(name) ?? []);
  return left.length === 0 || left.length < workloads.length ? {} : { suspectForMs: Math.max(...left) };
}

function outlierView({ errors, gatewayErrors, localErrors, ejections, spared }: EndpointOutlier): OutlierView {
  return { errors, gatewayErrors, localErrors, ejections, spared };
}

function checkView({ successes, failures, checks, checkedAt, found }: EndpointHealth, now: number): HealthCheckView {
  return { successes, failures, checks, agoMs: checkedAt < 0 ? -1 : now - checkedAt, found };
}
