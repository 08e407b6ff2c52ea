/** What is asked of everything that is sent to one service, drawn: who is chosen, who is left out, how much is allowed. */

import { type FakeCluster, fakeOutlier } from "@inmesh/core/testing";
import type { BreakerPolicy, HealthCheckPolicy, LocalityPolicy, OutlierPolicy, TrafficPolicy } from "@inmesh/model";
import type { Draw } from "./draw.js";
import { HOME, ZONES } from "./fleet.js";

export function drawCluster(draw: Draw, services: readonly string[]): Omit<FakeCluster, "endpoints"> {
  const connectTimeoutMs = draw.oneOf([20, 100, 1_000, 10_000]);
  const policy: Partial<TrafficPolicy> = {
    connection: { connectTimeoutMs, idleTimeoutMs: 0, maxRequestsPerConnection: 0 },
    ...drawBalancing(draw),
    ...drawLimits(draw),
    ...(draw.chance(0.5) && { outlier: drawOutlier(draw) }),
    ...(draw.chance(0.5) && { breaker: drawBreaker(draw, services) }),
    ...(draw.chance(0.2) && { healthCheck: drawHealthCheck(draw) }),
    ...(draw.chance(0.3) && { hedging: { maxAttempts: draw.whole(2, 4), delayMs: draw.oneOf([1, 8, 30]) } }),
  };
  const loadBalancer = draw.oneOf(["roundRobin", "random", "leastRequest", "peakEwma", "prequal"] as const);
  return { loadBalancer, policy };
}

function drawBalancing(draw: Draw): Partial<TrafficPolicy> {
  return {
    ...(draw.chance(0.3) && {
      hash: draw.oneOf([
        { kind: "ringHash" as const, minimumRingSize: 64 },
        { kind: "maglev" as const, tableSize: 251 },
      ]),
    }),
    ...(draw.chance(0.3) && {
      warmup: {
        windowMs: draw.oneOf([50, 500]),
        minimumRatio: draw.oneOf([0, 0.1]),
        aggression: draw.oneOf([0.5, 1, 3]),
      },
    }),
    ...(draw.chance(0.3) && { locality: drawLocality(draw) }),
    ...(draw.chance(0.2) && { subsetSize: draw.whole(1, 4) }),
  };
}

function drawLocality(draw: Draw): LocalityPolicy {
  const nearness = { own: HOME };
  switch (draw.oneOf(["distribute", "failover", "zoneAware"] as const)) {
    case "distribute": {
      const [first, second] = [draw.oneOf(ZONES), draw.oneOf(ZONES)];
      const to = (zone: string): typeof HOME => ({ region: HOME.region, zone, subZone: "" });
      return {
        kind: "distribute",
        shares: [
          { to: to(first), ratio: 0.75 },
          { to: to(second), ratio: 0.25 },
        ],
      };
    }
    case "failover":
      return { kind: "failover", labels: draw.some([{ name: "version", value: "v1" }], 0.5), nearness };
    case "zoneAware":
      return { kind: "zoneAware", minClusterSize: draw.oneOf([1, 6]), labels: [], nearness };
  }
}

function drawLimits(draw: Draw): Partial<TrafficPolicy> {
  return {
    ...(draw.chance(0.4) && {
      limits: {
        maxConnections: 0,
        maxPendingRequests: 0,
        maxRequests: draw.oneOf([0, 0, 2, 10, 40]),
        maxRetries: draw.oneOf([0, 1, 3]),
      },
    }),
    ...(draw.chance(0.3) && {
      retryBudget: {
        ratio: draw.oneOf([0, 0.2, 0.5]),
        minConcurrency: draw.oneOf([0, 1, 3]),
        intervalMs: draw.oneOf([0, 100, 1_000]),
      },
    }),
    ...(draw.chance(0.3) && {
      retryRate: { ratio: draw.oneOf([0, 0.1, 0.5]), minPerSecond: draw.oneOf([0, 1, 5]) },
    }),
  };
}

function drawOutlier(draw: Draw): OutlierPolicy {
  const baseEjectionMs = draw.oneOf([50, 200, 1_000]);
  const judgement = { minEndpoints: draw.oneOf([1, 3]), minRequests: draw.oneOf([1, 5]), enforcedRatio: 1 };
  return fakeOutlier({
    consecutiveErrors: draw.oneOf([0, 1, 2, 5]),
    consecutiveGatewayErrors: draw.oneOf([0, 1, 3]),
    splitsLocalErrors: draw.chance(0.5),
    consecutiveLocalErrors: draw.oneOf([1, 3]),
    intervalMs: draw.oneOf([20, 100, 500]),
    baseEjectionMs,
    maxEjectionMs: baseEjectionMs * draw.oneOf([1, 3]),
    maxEjectionRatio: draw.oneOf([0, 0.1, 0.3, 0.5, 1]),
    minHealthRatio: draw.oneOf([0, 0, 0.3, 0.5]),
    ejectsOne: draw.chance(0.3),
    ...(draw.chance(0.2) && { successRate: { ...judgement, deviations: 1.9 } }),
    ...(draw.chance(0.2) && { failureShare: { ...judgement, ratio: 0.5 } }),
  });
}

function drawBreaker(draw: Draw, services: readonly string[]): BreakerPolicy {
  const cluster = draw.oneOf(services);
  return {
    scope: draw.oneOf(["cluster", "cluster", "route", "endpoint"]),
    windowMs: draw.oneOf([100, 500, 2_000]),
    minRequests: draw.oneOf([1, 3, 10]),
    failureRatio: draw.oneOf([0.1, 0.3, 0.6]),
    ...(draw.chance(0.3) && { slow: { slowerThanMs: draw.oneOf([5, 20]), ratio: draw.oneOf([0.3, 0.8]) } }),
    openMs: draw.oneOf([10, 50, 200]),
    probes: draw.oneOf([1, 2, 5]),
    ...(draw.chance(0.3) && {
      fallback: draw.oneOf([
        { kind: "response" as const, status: 200, headers: [], body: "sorry" },
        { kind: "stale" as const, maxAgeMs: 1_000 },
        { kind: "destination" as const, destination: { cluster, host: cluster, port: 80, subset: "", weight: 1 } },
      ]),
    }),
    resource: { resource: { kind: "CircuitBreaker", namespace: "default", name: "drawn" }, path: "spec" },
  };
}

function drawHealthCheck(draw: Draw): HealthCheckPolicy {
  return {
    kind: "http",
    path: "/healthz",
    authority: "",
    statuses: [[200, 299]],
    intervalMs: draw.oneOf([60, 300]),
    timeoutMs: draw.oneOf([10, 100]),
    unhealthyThreshold: draw.oneOf([1, 3]),
    healthyThreshold: draw.oneOf([1, 2]),
    port: 0,
  };
}
