/** What a Resilience asks of the callers of a host. */

import type { HealthCheckSpec, ResilienceSpec } from "../kind/resilience.js";
import type { HealthCheckPolicy } from "../snapshot/resilience.js";
import type { LoadBalancerKind, TrafficPolicy } from "../snapshot/traffic-policy.js";
import { durationMs } from "./duration-ms.js";

export type ResiliencePolicy = Pick<
  TrafficPolicy,
  "healthCheck" | "retryRate" | "hedging" | "subsetSize" | "replayBytes"
>;

const HEALTH = { intervalMs: 5_000, timeoutMs: 1_000, unhealthyThreshold: 3, healthyThreshold: 2 };
const HEDGING = { attempts: 2, delayMs: 100 };
/** The rate that a `percent` alone comes with: a client that hardly calls may still retry. */
const MIN_RETRIES_PER_SECOND = 1;

export function compileResilience({ healthCheck, retry, hedging, subsetting }: ResilienceSpec): ResiliencePolicy {
  return {
    ...(healthCheck && { healthCheck: compileHealthCheck(healthCheck) }),
    ...(retry?.percent !== undefined && {
      retryRate: { ratio: retry.percent / 100, minPerSecond: retry.minPerSecond ?? MIN_RETRIES_PER_SECOND },
    }),
    ...(hedging && {
      hedging: {
        maxAttempts: hedging.attempts ?? HEDGING.attempts,
        delayMs: durationMs(hedging.delay, HEDGING.delayMs),
      },
    }),
    ...(subsetting?.size && { subsetSize: subsetting.size }),
    ...(retry?.maxBodyBytes !== undefined && { replayBytes: retry.maxBodyBytes }),
  };
}

/** Where it names one, in place of the DestinationRule's. */
export function resilienceBalancer({ loadBalancer }: ResilienceSpec): LoadBalancerKind | undefined {
  if (loadBalancer === undefined) return undefined;
  return loadBalancer === "PREQUAL" ? "prequal" : "peakEwma";
}

function compileHealthCheck(spec: HealthCheckSpec): HealthCheckPolicy {
  const { http, grpc, port, interval, timeout, unhealthyThreshold, healthyThreshold } = spec;
  return {
    kind: http !== undefined ? "http" : grpc !== undefined ? "grpc" : "tcp",
    ...(grpc !== undefined && { service: grpc.service ?? "" }),
    path: http?.path ?? "/",
    authority: http?.host ?? "",
    statuses: (http?.expectedStatuses ?? ["200-299"]).map(statusRange),
    intervalMs: durationMs(interval, HEALTH.intervalMs),
    timeoutMs: durationMs(timeout, HEALTH.timeoutMs),
    unhealthyThreshold: unhealthyThreshold || HEALTH.unhealthyThreshold,
    healthyThreshold: healthyThreshold || HEALTH.healthyThreshold,
    port: port ?? 0,
  };
}

/** `204` or `200-299`; validation has refused anything else. */
export function statusRange(text: string): readonly [first: number, last: number] {
  const [first = "", last = first] = text.split("-");
  return [Number(first), Number(last)];
}
