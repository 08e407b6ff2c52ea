import type { BreakerPolicy } from "@inmesh/model";

/** Opens on more than half of at least four attempts in 10 s; waits 5 s; three probes decide. */
export const BREAKER: BreakerPolicy = {
  scope: "cluster",
  windowMs: 10_000,
  minRequests: 4,
  failureRatio: 0.5,
  openMs: 5_000,
  probes: 3,
  resource: { resource: { kind: "CircuitBreaker", namespace: "default", name: "a" }, path: "spec" },
};
