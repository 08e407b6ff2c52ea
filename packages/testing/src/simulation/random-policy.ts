/** Policy of all kinds, drawn for one service at a time. Windows are short, so that a simulation of seconds sees them end. */

import { type FakeCluster, type FakeRoute, fakeOutlier } from "@inmesh/core/testing";
import type { TrafficPolicy } from "@inmesh/model";
import type { Draw } from "./draw.js";

/** What is asked of the calls to one service. */
export interface ServicePolicy {
  readonly route: FakeRoute;
  readonly cluster: Omit<FakeCluster, "endpoints">;
}

/** A service that nobody wrote policy for. */
export const NO_POLICY: ServicePolicy = { route: {}, cluster: {} };

const RETRY_ON = [
  ["5xx"],
  ["connect-failure", "reset", "503"],
  ["gateway-error", "retriable-4xx"],
  ["reset-before-request"],
  ["5xx", "reset", "429", "envoy-ratelimited"],
];

export function drawPolicy(draw: Draw, service: string, others: readonly string[]): ServicePolicy {
  if (draw.chance(0.1)) return NO_POLICY;
  return { route: drawRoute(draw, service, others), cluster: drawCluster(draw) };
}

function drawRoute(draw: Draw, service: string, others: readonly string[]): FakeRoute {
  const timeoutMs = draw.chance(0.6) ? draw.oneOf([5, 20, 50, 100, 250, 1_000]) : 0;
  const split = draw.chance(0.2) ? { [service]: 3, [draw.oneOf(others)]: 1 } : service;
  return {
    to: split,
    timeoutMs,
    ...(draw.chance(0.75) && {
      retry: {
        on: draw.oneOf(RETRY_ON),
        maxAttempts: draw.whole(2, 5),
        perTryTimeoutMs: draw.chance(0.5) ? draw.oneOf([10, 30, 80, 200]) : 0,
        backoffBaseMs: draw.oneOf([1, 5, 25]),
        backoffMaxMs: draw.oneOf([25, 250]),
        avoidPreviousHosts: draw.chance(0.7),
      },
    }),
    ...(draw.chance(0.1) && {
      fault: {
        delayRatio: draw.oneOf([0, 0.2]),
        delayMs: draw.ms(1, 60),
        abortRatio: draw.oneOf([0, 0.1]),
        abortStatus: 503,
      },
    }),
    ...(draw.chance(0.2) && {
      mirrors: draw.some([...others, service, "nowhere"], 0.5).map((cluster, index) => ({
        destination: { cluster, host: cluster, port: 80, subset: "", weight: 100 },
        ratio: draw.oneOf([1, 0.3]),
        field: `mirrors[${index}]`,
      })),
    }),
    ...(draw.chance(0.5) && { hashKeys: [{ kind: "header" as const, name: "x-user" }] }),
  };
}

function drawCluster(draw: Draw): Omit<FakeCluster, "endpoints"> {
  const connectTimeoutMs = draw.oneOf([20, 100, 1_000, 10_000]);
  const policy: Partial<TrafficPolicy> = {
    connection: { connectTimeoutMs, idleTimeoutMs: 0, maxRequestsPerConnection: 0 },
    ...(draw.chance(0.3) && {
      hash: draw.oneOf([
        { kind: "ringHash" as const, minimumRingSize: 64 },
        { kind: "maglev" as const, tableSize: 251 },
      ]),
    }),
    ...(draw.chance(0.4) && {
      limits: {
        maxConnections: 0,
        maxPendingRequests: 0,
        maxRequests: draw.oneOf([0, 1, 3, 10, 40]),
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
    ...(draw.chance(0.5) && { outlier: drawOutlier(draw) }),
  };
  return { loadBalancer: draw.oneOf(["roundRobin", "random", "leastRequest", "peakEwma"]), policy };
}

function drawOutlier(draw: Draw): TrafficPolicy["outlier"] & object {
  const baseEjectionMs = draw.oneOf([50, 200, 1_000]);
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
  });
}
