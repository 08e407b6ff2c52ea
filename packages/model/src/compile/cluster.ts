/** A cluster: service, port and subset under the traffic policy that holds for them. policy-semantics §2.2. */

import type { SubsetSpec } from "../kind/destination-rule.js";
import type { ConnectionPoolSpec, LoadBalancerSpec, TrafficPolicySpec } from "../kind/traffic-policy.js";
import type { ClientTls } from "../snapshot/client-tls.js";
import { type Cluster, clusterName, type LoadBalancerKind, type TrafficPolicy } from "../snapshot/cluster.js";
import type { Service } from "../snapshot/workload.js";
import { clientTls } from "./client-tls.js";
import type { DestinationPolicy } from "./destination-rule-index.js";
import { durationMs } from "./duration-ms.js";
import { policyFields } from "./policy-fields.js";
import type { CompilerSettings } from "./settings.js";

/** On a DestinationRule: `PEAK_EWMA` picks by latency, which Istio has no name for. It beats `simple`. */
export const LOAD_BALANCER_ANNOTATION = "inmesh.dev/load-balancer";

/** The request itself names the address. */
const AS_ASKED: ReadonlySet<Service["resolution"]> = new Set(["passThrough", "dynamicDns"]);
const NO_LABELS: Readonly<Record<string, string>> = Object.freeze({});

/** Blocks that hold for one cluster. */
export type PolicyBlocks = Pick<TrafficPolicySpec, "loadBalancer" | "connectionPool" | "outlierDetection" | "tls">;

export interface ClusterTarget {
  readonly service: Service;
  /** The service's, or the host meant by a wildcard service. */
  readonly host: string;
  readonly port: number;
  readonly subset: string;
}

/**
 * @param off MeshMode `off` or `observe`: subsets stay, as calls under way hold on to them, but no rule's policy applies
 * @returns undefined when no DestinationRule defines the subset
 */
export function compileCluster(
  { service, host, port, subset }: ClusterTarget,
  rule: DestinationPolicy | undefined,
  settings: CompilerSettings,
  off: boolean,
): Cluster | undefined {
  const definition = subset === "" ? undefined : rule?.subsets.get(subset);
  if (subset !== "" && definition === undefined) return undefined;
  const inCharge = rule?.resources[0];
  return {
    name: clusterName(port, subset, host),
    service,
    host,
    port,
    subset,
    labels: definition?.labels ?? NO_LABELS,
    policy: policyOf(rule, definition, port, service, settings, off),
    resource: inCharge ? { kind: inCharge.kind, namespace: inCharge.namespace, name: inCharge.name } : null,
    ...(!off && { fields: policyFields(rule, subset, port) }),
  };
}

function policyOf(
  rule: DestinationPolicy | undefined,
  subset: SubsetSpec | undefined,
  port: number,
  service: Service,
  settings: CompilerSettings,
  off: boolean,
): TrafficPolicy {
  const blocks = policyBlocks(rule?.trafficPolicy, subset?.trafficPolicy, port, settings);
  const tls = clientTls(blocks.tls, service, rule?.resources ?? []);
  if (off) return trafficPolicy(keptWithoutPolicy(blocks), tls, service, settings, undefined);
  const annotated = rule?.resources.find(
    ({ metadata }) => metadata.annotations[LOAD_BALANCER_ANNOTATION] !== undefined,
  );
  const annotation = annotated?.metadata.annotations[LOAD_BALANCER_ANNOTATION];
  return trafficPolicy(blocks, tls, service, settings, annotation);
}

/** Beside TLS, which stays because switching policy off must not open a door: the address that the caller asked for. */
function keptWithoutPolicy({ loadBalancer }: PolicyBlocks): PolicyBlocks {
  return loadBalancer?.simple === "PASSTHROUGH" ? { loadBalancer } : {};
}

/** Blocks replace each other whole. A port's entry inherits nothing from the level above it. */
export function policyBlocks(
  whole: TrafficPolicySpec | undefined,
  subset: TrafficPolicySpec | undefined,
  port: number,
  settings: CompilerSettings,
): PolicyBlocks {
  const ofPort = portEntry(whole, port);
  const base: PolicyBlocks = ofPort ?? whole ?? {};
  const filled: PolicyBlocks = { ...base, connectionPool: base.connectionPool ?? settings.defaultPools };
  if (subset === undefined) return filled;
  const entry = portEntry(subset, port);
  if (entry !== undefined) return entry;
  return {
    loadBalancer: subset.loadBalancer ?? filled.loadBalancer,
    connectionPool: subset.connectionPool ?? filled.connectionPool,
    outlierDetection: subset.outlierDetection ?? filled.outlierDetection,
    tls: subset.tls ?? filled.tls,
  };
}

function portEntry(policy: TrafficPolicySpec | undefined, port: number): PolicyBlocks | undefined {
  return policy?.portLevelSettings?.find((entry) => entry.port?.number === port);
}

function trafficPolicy(
  { loadBalancer, connectionPool }: PolicyBlocks,
  tls: ClientTls,
  { resolution }: Service,
  { mesh }: CompilerSettings,
  annotation: string | undefined,
): TrafficPolicy {
  return {
    loadBalancer: AS_ASKED.has(resolution) ? "passThrough" : loadBalancerKind(loadBalancer, annotation),
    connection: connectionPolicy(connectionPool, mesh.connectTimeoutMs),
    tls,
  };
}

function loadBalancerKind(spec: LoadBalancerSpec | undefined, annotation: string | undefined): LoadBalancerKind {
  if (annotation?.toUpperCase() === "PEAK_EWMA") return "peakEwma";
  switch (spec?.simple) {
    case "ROUND_ROBIN":
      return "roundRobin";
    case "RANDOM":
      return "random";
    case "PASSTHROUGH":
      return "passThrough";
    default:
      return "leastRequest";
  }
}

function connectionPolicy(
  { tcp, http }: ConnectionPoolSpec = {},
  connectTimeoutMs: number,
): TrafficPolicy["connection"] {
  return {
    connectTimeoutMs: durationMs(tcp?.connectTimeout, connectTimeoutMs),
    idleTimeoutMs: durationMs(http?.idleTimeout ?? tcp?.idleTimeout, 0),
    maxRequestsPerConnection: http?.maxRequestsPerConnection ?? 0,
  };
}
