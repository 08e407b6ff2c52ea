/**
 * Resilience (inmesh.dev): what Istio has no field for. Its parts besides `server` hold for the callers of a host, `server` for
 * the processes that are the host. docs/reference/resilience.md.
 */

import * as z from "zod/mini";
import { atMostOne, double, duration, flag, message, stringList, text, uint32 } from "./field.js";
import { requestMatch } from "./request-match.js";

const healthCheck = message({
  http: message({ path: text, host: text, expectedStatuses: stringList }),
  tcp: message({}),
  grpc: message({ service: text }),
  port: uint32,
  interval: duration,
  timeout: duration,
  unhealthyThreshold: uint32,
  healthyThreshold: uint32,
}).check(atMostOne("http", "tcp", "grpc"));

const server = message({
  maxConcurrency: uint32,
  adaptiveConcurrency: message({ enabled: flag, min: uint32, max: uint32 }),
  maxEventLoopDelay: duration,
  priorities: z.array(
    message({ priority: z.enum(["CRITICAL", "DEFAULT", "SHEDDABLE"]), match: z.array(requestMatch) }),
  ),
  priorityHeader: text,
});

export const resilience = message({
  host: text,
  loadBalancer: z.enum(["PEAK_EWMA", "PREQUAL"]),
  subsetting: message({ size: uint32 }),
  healthCheck: healthCheck,
  retry: message({ percent: double, minPerSecond: double, maxBodyBytes: uint32 }),
  hedging: message({ attempts: uint32, delay: duration }),
  server: server,
});

export type ResilienceSpec = z.infer<typeof resilience>;
export type HealthCheckSpec = z.infer<typeof healthCheck>;
export type ServerResilienceSpec = z.infer<typeof server>;
