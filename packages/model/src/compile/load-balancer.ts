/** loadBalancer of one cluster, and the keys that its routes hash. policy-semantics §2.4. */

import type { LoadBalancerSpec } from "../kind/traffic-policy.js";
import type { HashKey } from "../snapshot/route.js";
import type { HashAlgorithm, LoadBalancerKind, WarmupPolicy } from "../snapshot/traffic-policy.js";
import { durationMs } from "./duration-ms.js";

export type ConsistentHashSpec = NonNullable<LoadBalancerSpec["consistentHash"]>;

const RING_SIZE = 1024;
/** Where the rule has the deprecated warmupDurationSecs, or says no more than how long. */
const WARMUP = { minimumPercent: 10, aggression: 1 } as const;

/** @param annotation beats `simple`: Istio has no name for picking by latency */
export function loadBalancerKind(spec: LoadBalancerSpec | undefined, annotation: string | undefined): LoadBalancerKind {
  if (annotation?.toUpperCase() === "PEAK_EWMA") return "peakEwma";
  switch (spec?.simple) {
    case "ROUND_ROBIN":
      return "roundRobin";
    case "RANDOM":
      return "random";
    case "PASSTHROUGH":
      return "passThrough";
    default:
      return "leastRequest";
  }
}

/** Without an algorithm it is a ring; the deprecated minimumRingSize stands beside none. */
export function compileHash(spec: ConsistentHashSpec | undefined): HashAlgorithm | undefined {
  if (spec === undefined) return undefined;
  const { maglev, ringHash, minimumRingSize } = spec;
  if (maglev !== undefined) return { kind: "maglev", tableSize: maglev.tableSize ?? 0 }; // validation wants a prime
  return { kind: "ringHash", minimumRingSize: ringHash?.minimumRingSize || minimumRingSize || RING_SIZE };
}

/** Undefined where the rule names none: every request is then without a hash. */
export function compileHashKey(spec: ConsistentHashSpec): HashKey | undefined {
  const { httpHeaderName, httpCookie, httpQueryParameterName, useSourceIp } = spec;
  if (httpHeaderName) return { kind: "header", name: httpHeaderName.toLowerCase() };
  if (httpQueryParameterName) return { kind: "queryParameter", name: httpQueryParameterName };
  if (useSourceIp === true) return { kind: "sourceIp" };
  if (httpCookie === undefined) return undefined;
  const { name = "", path = "", ttl, attributes = [] } = httpCookie;
  return {
    kind: "cookie",
    name,
    path,
    ...(ttl !== undefined && { ttlMs: durationMs(ttl, 0) }),
    attributes: attributes.map((attribute) => [attribute.name ?? "", attribute.value ?? ""]),
  };
}

/** Only weights can grow: random and hashed picks know none of it, and Istio passes it over there. */
export function compileWarmup(spec: LoadBalancerSpec | undefined, kind: LoadBalancerKind): WarmupPolicy | undefined {
  const { warmup, warmupDurationSecs, consistentHash } = spec ?? {};
  const duration = warmup?.duration ?? warmupDurationSecs;
  if (duration === undefined || consistentHash !== undefined) return undefined;
  if (kind !== "roundRobin" && kind !== "leastRequest") return undefined;
  return {
    windowMs: durationMs(duration, 0),
    minimumRatio: (warmup?.minimumPercent ?? WARMUP.minimumPercent) / 100,
    aggression: warmup?.aggression ?? WARMUP.aggression,
  };
}
