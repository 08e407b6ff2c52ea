/** connectionPool and retryBudget of one cluster. policy-semantics §2.3, §2.6. In both, 0 cannot be told from unset. */

import type { ConnectionPoolSpec, TrafficPolicySpec } from "../kind/traffic-policy.js";
import type { ConnectionPolicy, KeepAlivePolicy, LimitPolicy, RetryBudgetPolicy } from "../snapshot/traffic-policy.js";
import type { Protocol } from "../snapshot/workload.js";
import { durationMs } from "./duration-ms.js";
import type { CompilerSettings } from "./settings.js";

type KeepAliveSpec = NonNullable<ConnectionPoolSpec["tcp"]>["tcpKeepalive"];

const HTTP2: ReadonlySet<Protocol> = new Set(["http2", "grpc"]);
const HTTP1: ReadonlySet<Protocol> = new Set(["http", "grpc-web"]);

/** Linux's, which Envoy leaves alone: tcp_keepalive_probes, _time and _intvl. */
const KEEP_ALIVE: KeepAlivePolicy = { probes: 9, timeMs: 7_200_000, intervalMs: 75_000 };

/** Envoy's; of the ratio and the concurrency Istio names the same ones. */
const RETRY_BUDGET: RetryBudgetPolicy = { ratio: 0.2, minConcurrency: 3, intervalMs: 0 };

/** @param protocol of the service port */
export function compileConnection(
  { tcp, http }: ConnectionPoolSpec = {},
  protocol: Protocol,
  settings: CompilerSettings,
): ConnectionPolicy {
  const version = httpVersion(http, protocol, settings);
  const maxAgeMs = durationMs(tcp?.maxConnectionDuration, 0);
  const keepAlive = compileKeepAlive(tcp?.tcpKeepalive, settings.tcpKeepalive);
  const { interval, timeout } = http?.http2KeepAlive ?? {};
  return {
    connectTimeoutMs: durationMs(tcp?.connectTimeout, settings.mesh.connectTimeoutMs),
    idleTimeoutMs: durationMs(http?.idleTimeout ?? tcp?.idleTimeout, 0),
    maxRequestsPerConnection: http?.maxRequestsPerConnection ?? 0,
    ...(maxAgeMs > 0 && { maxAgeMs }),
    ...(keepAlive && { keepAlive }),
    ...(version && { protocol: version }),
    ...(http?.maxConcurrentStreams && { maxConcurrentStreams: http.maxConcurrentStreams }),
    ...(interval &&
      timeout && { http2KeepAlive: { intervalMs: durationMs(interval, 0), timeoutMs: durationMs(timeout, 0) } }),
  };
}

/** The mesh upgrades ports that say they are HTTP; a rule knows its port. */
function httpVersion(
  http: ConnectionPoolSpec["http"],
  protocol: Protocol,
  { upgradesToHttp2 }: CompilerSettings,
): ConnectionPolicy["protocol"] {
  const upgrade = http?.h2UpgradePolicy ?? "DEFAULT";
  if (upgrade === "UPGRADE") return "http2";
  if (http?.useClientProtocol === true) return "caller";
  if (HTTP2.has(protocol)) return "http2";
  if (HTTP1.has(protocol)) return upgrade === "DEFAULT" && upgradesToHttp2 ? "http2" : undefined;
  return protocol === "unknown" ? "caller" : undefined;
}

/** Field by field, unlike anything else; an empty block switches it on with the system's figures. */
function compileKeepAlive(own: KeepAliveSpec, mesh: KeepAliveSpec): KeepAlivePolicy | undefined {
  if (own === undefined && mesh === undefined) return undefined;
  return {
    probes: own?.probes || mesh?.probes || KEEP_ALIVE.probes,
    timeMs: durationMs(own?.time ?? mesh?.time, KEEP_ALIVE.timeMs),
    intervalMs: durationMs(own?.interval ?? mesh?.interval, KEEP_ALIVE.intervalMs),
  };
}

export function compileLimits({ tcp, http }: ConnectionPoolSpec = {}): LimitPolicy | undefined {
  const limits: LimitPolicy = {
    maxConnections: tcp?.maxConnections ?? 0,
    maxPendingRequests: http?.http1MaxPendingRequests ?? 0,
    maxRequests: http?.http2MaxRequests ?? 0,
    maxRetries: http?.maxRetries ?? 0,
  };
  return Object.values(limits).some((limit) => limit > 0) ? limits : undefined;
}

/** A percentage of 0 is one: then only the floor counts. */
export function compileRetryBudget(spec: TrafficPolicySpec["retryBudget"]): RetryBudgetPolicy | undefined {
  if (spec === undefined) return undefined;
  return {
    ratio: spec.percent === undefined ? RETRY_BUDGET.ratio : spec.percent / 100,
    minConcurrency: spec.minRetryConcurrency || RETRY_BUDGET.minConcurrency,
    intervalMs: durationMs(spec.budgetInterval, RETRY_BUDGET.intervalMs),
  };
}
