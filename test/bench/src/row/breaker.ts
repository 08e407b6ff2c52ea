/** What a closed circuit breaker and limits that are not reached cost an attempt, in a loop. */

import { Attempt, Call, systemClock } from "@inmesh/core";
import { Breaker, ClusterLimits, EndpointState } from "@inmesh/core/internal";
import { loop } from "../lib/loop.js";
import type { Report } from "../lib/table.js";
import { nullExchange } from "./pipeline.js";

/** In one turn of the measuring loop, which costs as much as one of them. */
const ATTEMPTS = 100;
const BATCHES = { batch: 200, batches: 60, warmUp: 2_000 };

export async function breaker(): Promise<Report> {
  const attempt = attemptToMeasure();
  const closed = new Breaker(
    {
      ...{ scope: "cluster", windowMs: 10_000, minRequests: 20, failureRatio: 0.5, openMs: 10_000, probes: 5 },
      resource: { resource: { kind: "CircuitBreaker", namespace: "shop", name: "reviews" }, path: "spec" },
    },
    { clock: systemClock, name: "reviews", onEvent: () => {} },
  );
  const limits = new ClusterLimits(
    {
      loadBalancer: "leastRequest",
      connection: { connectTimeoutMs: 1, idleTimeoutMs: 0, maxRequestsPerConnection: 0 },
      limits: { maxConnections: 0, maxPendingRequests: 0, maxRequests: 1_000, maxRetries: 3 },
    } as ConstructorParameters<typeof ClusterLimits>[0],
    0,
  );
  const clock = new Float64Array(1); // a number that grows outside the loop would cost more than what is measured
  // An attempt each 10 us: the window turns as it does under load.
  const guarded = loop(() => {
    let now = clock[0]!; // it has one
    for (let each = 0; each < ATTEMPTS; each++) {
      now += 0.01;
      if (!closed.admits(now)) return;
      closed.take(attempt, now);
      closed.record(attempt, "success", now);
    }
    clock[0] = now;
  }, BATCHES);
  const limited = loop(() => {
    for (let each = 0; each < ATTEMPTS; each++) {
      if (limits.full) return;
      limits.begin();
      limits.end(attempt, 0);
    }
  }, BATCHES);
  const rows = [
    { what: "closed breaker: admits, takes, records a success", ns: (guarded.medianNs / ATTEMPTS).toFixed(1) },
    { what: "limits not reached: begins, ends", ns: (limited.medianNs / ATTEMPTS).toFixed(1) },
  ];
  return { bench: "breaker", rows, notes: ["goal: a closed breaker <= 10 ns"] };
}

function attemptToMeasure(): Attempt {
  const endpoint = { id: "10.0.0.1:80", address: "10.0.0.1", port: 80, weight: 1, labels: {}, workloads: [] };
  const call = new Call(nullExchange, "GET", "http", "reviews", 80, "reviews", "/", []);
  return new Attempt(call, 1, new EndpointState(endpoint), [], 0);
}
