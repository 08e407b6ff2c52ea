/** A CircuitBreaker as the data path reads it. */

import type { CircuitBreakerSpec } from "../kind/circuit-breaker.js";
import type { Resource } from "../resource.js";
import { clusterName } from "../snapshot/cluster.js";
import type { BreakerFallback, BreakerPolicy } from "../snapshot/resilience.js";
import { durationMs } from "./duration-ms.js";
import { qualifiedHost } from "./host.js";

const DEFAULTS = { windowMs: 10_000, minRequests: 20, failurePercent: 50, slowPercent: 50, openMs: 10_000, probes: 5 };
const SCOPES = { CLUSTER: "cluster", ROUTE: "route", ENDPOINT: "endpoint" } as const;

/** @param port of the cluster it is for: a fallback without a port means the same one */
export function compileBreaker(resource: Resource<CircuitBreakerSpec>, port: number): BreakerPolicy {
  const { kind, namespace, name, spec } = resource;
  const { slowCall } = spec;
  const fallback = compileFallback(spec.fallback, namespace, port);
  return {
    scope: SCOPES[spec.scope ?? "CLUSTER"],
    windowMs: durationMs(spec.window, DEFAULTS.windowMs),
    minRequests: spec.minRequests || DEFAULTS.minRequests,
    failureRatio: (spec.failurePercent ?? DEFAULTS.failurePercent) / 100,
    ...(slowCall && {
      slow: {
        slowerThanMs: durationMs(slowCall.duration, 0),
        ratio: (slowCall.percent ?? DEFAULTS.slowPercent) / 100,
      },
    }),
    openMs: durationMs(spec.openFor, DEFAULTS.openMs),
    probes: spec.probes || DEFAULTS.probes,
    ...(fallback && { fallback }),
    resource: { resource: { kind, namespace, name }, path: "spec" },
  };
}

function compileFallback(
  spec: CircuitBreakerSpec["fallback"],
  namespace: string,
  port: number,
): BreakerFallback | undefined {
  if (spec?.response !== undefined) {
    const { status = 503, headers = {}, body } = spec.response;
    const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
    return { kind: "response", status, headers: lower, body };
  }
  if (spec?.stale !== undefined) return { kind: "stale", maxAgeMs: durationMs(spec.stale.maxAge, 60_000) };
  if (spec?.destination === undefined) return undefined;
  const { host = "", subset = "", port: named } = spec.destination;
  const target = { host: qualifiedHost(host, namespace), port: named?.number || port, subset };
  const cluster = clusterName(target.port, subset, target.host);
  return { kind: "destination", destination: { ...target, cluster, weight: 1 } };
}
