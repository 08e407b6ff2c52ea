/** Clusters, endpoints and counters of the calls this process makes. */

import type { ClusterRuntime } from "../cluster/cluster-runtime.js";
import type { EndpointState } from "../cluster/endpoint-state.js";
import { tlsText } from "../explain/tls-text.js";
import type { Engine } from "../stack/engine.js";
import { breakersView, limitsView } from "./limits-view.js";
import type { ClustersView, EndpointView, InboundStats, OutboundStats, StatsView } from "./views.js";

export function clustersView({ clusters, clock }: Engine): ClustersView {
  const now = clock.now();
  return {
    clusters: clusters.all().map(({ config, stats, states, retriesLeft, limits, breakers }) => ({
      name: config.name,
      host: config.host,
      port: config.port,
      subset: config.subset,
      loadBalancer: config.policy.loadBalancer,
      tls: tlsText(config.policy.tls),
      stats: stats.read(),
      ...(retriesLeft !== undefined && { retriesLeft }),
      limits: limitsView(limits, now),
      ...(breakers && { breakers: breakersView(breakers, now) }),
      endpoints: states.map((state) => endpointView(state, now)),
    })),
  };
}

export interface StatsOptions {
  readonly service: string;
  readonly namespace: string;
  readonly inbound: InboundStats;
}

export function statsView(
  { clusters, clock, rehearsal, mirrors, unrouted, gate, ruleStats }: Engine,
  { service, namespace, inbound }: StatsOptions,
): StatsView {
  const outbound = clusters.all().map(outboundStats);
  const beside = { would: rehearsal.read(), mirrors: mirrors.read() };
  const gated = gate.read();
  const rules = ruleStats.read();
  return {
    ...{ atMs: clock.now(), service, namespace, outbound, inbound, unrouted, ...beside },
    ...(rules.length > 0 && { rules }),
    ...(gated && { gate: gated }),
  };
}

function outboundStats({ config, stats, states }: ClusterRuntime): OutboundStats {
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
    })),
  };
}

function endpointView(
  { endpoint, inFlight, attempts, failures, latencyMs, ejectedUntil }: EndpointState,
  now: number,
): EndpointView {
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
    ejectedForMs: Math.max(0, ejectedUntil - now),
    workloads: endpoint.workloads,
  };
}
