/**
 * CircuitBreaker (inmesh.dev): when callers of a host stop calling it for a while, and what they answer instead.
 * docs/reference/resilience.md. Istio has no such thing: its connectionPool are limits, its outlierDetection judges endpoints.
 */

import * as z from "zod/mini";
import { atMostOne, destination, double, duration, message, stringMap, text, uint32 } from "./field.js";

const fallback = message({
  response: message({ status: uint32, headers: stringMap, body: text }),
  stale: message({ maxAge: duration }),
  destination: destination,
}).check(atMostOne("response", "stale", "destination"));

export const circuitBreaker = message({
  host: text,
  subset: text,
  scope: z.enum(["CLUSTER", "ROUTE", "ENDPOINT"]),
  window: duration,
  minRequests: uint32,
  failurePercent: double,
  slowCall: message({ duration: duration, percent: double }),
  openFor: duration,
  probes: uint32,
  fallback: fallback,
});

export type CircuitBreakerSpec = z.infer<typeof circuitBreaker>;
