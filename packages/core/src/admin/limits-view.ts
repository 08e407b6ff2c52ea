/** What is in use of a cluster's limits, and how its circuit breakers stand. */

import { standing } from "../breaker/breaker-error.js";
import type { ClusterBreakers } from "../breaker/cluster-breakers.js";
import type { ClusterLimits, LimitKind } from "../limit/cluster-limits.js";
import type { BreakerView, LimitsView, LimitView } from "./views.js";

export function limitsView(limits: ClusterLimits, now: number): LimitsView {
  const { active, pending, connections, retries, maxRequests, maxPending, maxConnections, overflows } = limits;
  const view = (kind: LimitKind, inUse: number, most: number): LimitView => ({
    inUse,
    most: Number.isFinite(most) ? most : 0,
    overflows: overflows[kind],
  });
  return {
    requests: view("requests", active, maxRequests),
    pending: view("pending", pending, maxPending),
    connections: view("connections", connections, maxConnections),
    retries: view("retries", retries, limits.maxRetries(now)),
  };
}

export function breakersView(breakers: ClusterBreakers, now: number): readonly BreakerView[] {
  return breakers.all().map((breaker) => {
    const { name, endpoint, since, until, cause, openings, refused, policy } = breaker;
    const { kind, namespace, name: called } = policy.resource.resource;
    const state = breaker.state(now);
    return {
      ...{ resource: `${kind}/${namespace}/${called}`, name, endpoint, state, cause, openings, refused },
      sinceMs: now - since,
      forMs: state === "open" ? until - now : 0,
      text: standing(breaker, now),
      ...breaker.counts(now),
    };
  });
}
