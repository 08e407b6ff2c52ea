/** A cluster: service, port and subset under the traffic policy that holds for them. policy-semantics §2.2. */

import type { CircuitBreakerSpec } from "../kind/circuit-breaker.js";
import type { ResilienceSpec } from "../kind/resilience.js";
import type { TrafficPolicySpec } from "../kind/traffic-policy.js";
import type { Resource } from "../resource.js";
import type { ClientTls } from "../snapshot/client-tls.js";
import { type Cluster, clusterName } from "../snapshot/cluster.js";
import type { ClientContext } from "../snapshot/snapshot.js";
import type { TrafficPolicy } from "../snapshot/traffic-policy.js";
import type { Service } from "../snapshot/workload.js";
import { compileBreaker } from "./breaker.js";
import { clientTls, type ServerFacts } from "./client-tls.js";
import { compileConnection, compileLimits, compileRetryBudget } from "./connection-pool.js";
import type { DestinationPolicy } from "./destination-rule-index.js";
import { compileHash, compileWarmup, loadBalancerKind } from "./load-balancer.js";
import { compileLocality } from "./locality.js";
import { compileOutlierDetection } from "./outlier-detection.js";
import { policyFields } from "./policy-fields.js";
import { compileResilience, resilienceBalancer } from "./resilience.js";
import type { CompilerSettings } from "./settings.js";

/** On a DestinationRule: `PEAK_EWMA` picks by latency, which Istio has no name for. It beats `simple`. */
export const LOAD_BALANCER_ANNOTATION = "inmesh.dev/load-balancer";

/** The request itself names the address. */
const AS_ASKED: ReadonlySet<Service["resolution"]> = new Set(["passThrough", "dynamicDns"]);
const NO_LABELS: Readonly<Record<string, string>> = Object.freeze({});

/** Blocks that hold for one cluster. */
export type PolicyBlocks = Pick<
  TrafficPolicySpec,
  "loadBalancer" | "connectionPool" | "outlierDetection" | "tls" | "retryBudget"
>;

export interface ClusterTarget {
  readonly service: Service;
  /** The service's, or the host meant by a wildcard service. */
  readonly host: string;
  readonly port: number;
  readonly subset: string;
}

/** For whom, and under which settings of the mesh. */
export interface ClusterContext {
  readonly client: ClientContext;
  readonly settings: CompilerSettings;
  /** MeshMode `off` or `observe`: subsets stay, as calls under way hold on to them, but no rule's policy applies. */
  readonly off: boolean;
  readonly servers: ServerFacts;
  /** Documents of our own kinds that hold for it. */
  readonly breaker?: Resource<CircuitBreakerSpec> | undefined;
  readonly resilience?: Resource<ResilienceSpec> | undefined;
}

/** @returns undefined when no DestinationRule defines the subset */
export function compileCluster(
  target: ClusterTarget,
  rule: DestinationPolicy | undefined,
  context: ClusterContext,
): Cluster | undefined {
  const { service, host, port, subset } = target;
  const definition = subset === "" ? undefined : rule?.subsets.get(subset);
  if (subset !== "" && definition === undefined) return undefined;
  const inCharge = rule?.resources[0];
  const blocks = policyBlocks(rule?.trafficPolicy, definition?.trafficPolicy, port, context.settings);
  return {
    name: clusterName(port, subset, host),
    service,
    host,
    port,
    subset,
    labels: definition?.labels ?? NO_LABELS,
    policy: policyOf(blocks, target, rule, context),
    resource: inCharge ? { kind: inCharge.kind, namespace: inCharge.namespace, name: inCharge.name } : null,
    ...(!context.off && { fields: policyFields(blocks, subset, rule?.resources ?? []) }),
  };
}

function policyOf(
  blocks: PolicyBlocks,
  target: ClusterTarget,
  rule: DestinationPolicy | undefined,
  context: ClusterContext,
): TrafficPolicy {
  const tls = clientTls(blocks.tls, target.service, rule?.resources ?? [], context.servers, context.settings);
  if (context.off) return trafficPolicy(keptWithoutPolicy(blocks), tls, target, context, undefined);
  const annotated = rule?.resources.find(
    ({ metadata }) => metadata.annotations[LOAD_BALANCER_ANNOTATION] !== undefined,
  );
  return trafficPolicy(blocks, tls, target, context, annotated?.metadata.annotations[LOAD_BALANCER_ANNOTATION]);
}

/**
 * Beside TLS, which stays because switching policy off must not open a door: the address that the caller asked for, and
 * the version of HTTP, as a server may know no other.
 */
function keptWithoutPolicy({ loadBalancer, connectionPool }: PolicyBlocks): PolicyBlocks {
  const { h2UpgradePolicy, useClientProtocol } = connectionPool?.http ?? {};
  return {
    ...(loadBalancer?.simple === "PASSTHROUGH" && { loadBalancer: { simple: "PASSTHROUGH" } }),
    ...((h2UpgradePolicy || useClientProtocol) && {
      connectionPool: {
        http: { ...(h2UpgradePolicy && { h2UpgradePolicy }), ...(useClientProtocol && { useClientProtocol }) },
      },
    }),
  };
}

/**
 * Blocks replace each other whole. A port's entry inherits nothing from the level above it but, in a subset, the retry
 * budget, which entries do not have. The mesh's blocks fill what the service's level lacks: what the entry of a subset
 * for this port leaves out is the default again.
 */
export function policyBlocks(
  whole: TrafficPolicySpec | undefined,
  subset: TrafficPolicySpec | undefined,
  port: number,
  { defaultPolicy }: Pick<CompilerSettings, "defaultPolicy">,
): PolicyBlocks {
  const base: PolicyBlocks = portEntry(whole, port) ?? whole ?? {};
  const filled: PolicyBlocks = {
    ...base,
    connectionPool: base.connectionPool ?? defaultPolicy.connectionPool,
    outlierDetection: base.outlierDetection ?? defaultPolicy.outlierDetection,
  };
  if (subset === undefined) return filled;
  const retryBudget = subset.retryBudget ?? filled.retryBudget;
  const entry = portEntry(subset, port);
  if (entry !== undefined) return { ...entry, retryBudget };
  return {
    loadBalancer: subset.loadBalancer ?? filled.loadBalancer,
    connectionPool: subset.connectionPool ?? filled.connectionPool,
    outlierDetection: subset.outlierDetection ?? filled.outlierDetection,
    tls: subset.tls ?? filled.tls,
    retryBudget,
  };
}

export function portEntry(policy: TrafficPolicySpec | undefined, port: number): PolicyBlocks | undefined {
  return policy?.portLevelSettings?.find((entry) => entry.port?.number === port);
}

function trafficPolicy(
  { loadBalancer, connectionPool, outlierDetection, retryBudget }: PolicyBlocks,
  tls: ClientTls,
  { service, port }: ClusterTarget,
  { client, settings, off, breaker, resilience }: ClusterContext,
  annotation: string | undefined,
): TrafficPolicy {
  const asAsked = AS_ASKED.has(service.resolution);
  const named = resilience && resilienceBalancer(resilience.spec);
  const kind = asAsked ? "passThrough" : (named ?? loadBalancerKind(loadBalancer, annotation));
  const hash = asAsked ? undefined : compileHash(loadBalancer?.consistentHash);
  const warmup = compileWarmup(loadBalancer, kind);
  const outlier = compileOutlierDetection(outlierDetection);
  const locality =
    off || kind === "passThrough"
      ? undefined
      : compileLocality(loadBalancer, outlier !== undefined, service, client, settings);
  const limits = compileLimits(connectionPool);
  const budget = compileRetryBudget(retryBudget);
  const protocol = service.ports.find(({ number }) => number === port)?.protocol ?? "unknown";
  return {
    loadBalancer: kind,
    ...(hash && { hash }),
    ...(warmup && { warmup }),
    ...(locality && { locality }),
    connection: compileConnection(connectionPool, protocol, settings),
    ...(limits && { limits }),
    ...(budget && { retryBudget: budget }),
    ...(outlier && { outlier }),
    tls,
    ...(breaker && { breaker: compileBreaker(breaker, port) }),
    ...(resilience && compileResilience(resilience.spec)),
  };
}
