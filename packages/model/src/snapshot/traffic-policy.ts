/**
 * What policy asks of the calls of one cluster: DestinationRule, port and subset merged, MeshConfig and defaults applied.
 * policy-semantics §2.2–2.6. Parts that nobody asked for are absent, so that what they steer is not even built.
 */

import type { ClientTls } from "./client-tls.js";
import type { BreakerPolicy, HealthCheckPolicy, HedgingPolicy, RetryRatePolicy } from "./resilience.js";
import type { Locality } from "./workload.js";

/** `leastRequest` is the default, as Istio's. `passThrough` sends to the address the caller asked for. */
export type LoadBalancerKind = "roundRobin" | "random" | "leastRequest" | "peakEwma" | "prequal" | "passThrough";

export interface TrafficPolicy {
  /** Also of a request that has nothing to hash. */
  readonly loadBalancer: LoadBalancerKind;
  /** consistentHash: how a hash chooses its endpoint. What is hashed, the route says (`Route.hashKeys`). */
  readonly hash?: HashAlgorithm;
  readonly warmup?: WarmupPolicy;
  /** Absent: all localities are one. */
  readonly locality?: LocalityPolicy;
  readonly connection: ConnectionPolicy;
  /** Absent: nothing is limited. */
  readonly limits?: LimitPolicy;
  /** Absent: `limits.maxRetries` counts. */
  readonly retryBudget?: RetryBudgetPolicy;
  /** Absent, as where no outlierDetection is written: nobody is ejected for what they answer. */
  readonly outlier?: OutlierPolicy;
  readonly tls: ClientTls;
  /** CircuitBreaker. */
  readonly breaker?: BreakerPolicy;
  /** Resilience: the rest of it, each absent where none is written. */
  readonly healthCheck?: HealthCheckPolicy;
  readonly retryRate?: RetryRatePolicy;
  readonly hedging?: HedgingPolicy;
  /** Endpoints this process uses of all there are, always the same ones while they live; others take their place when they go. */
  readonly subsetSize?: number;
  /** Of a request's body kept for another attempt, at most, in bytes. @default 65,536 (pitfalls R2) */
  readonly replayBytes?: number;
}

export interface ConnectionPolicy {
  /** DestinationRule tcp.connectTimeout, else mesh connectTimeout (10 s), in ms. */
  readonly connectTimeoutMs: number;
  /**
   * An idle connection is closed after this many ms: http.idleTimeout, else tcp.idleTimeout. 0 when policy says nothing.
   * Differs: Istio's default is 1 h, which outlives what servers in Node keep; the transport has its own.
   */
  readonly idleTimeoutMs: number;
  /** Requests per connection before it is closed; 0 is unlimited, 1 switches keep-alive off. */
  readonly maxRequestsPerConnection: number;
  /** A connection takes no new request after this many ms. Absent: however old it is. */
  readonly maxAgeMs?: number;
  /** Absent: the system's. */
  readonly keepAlive?: KeepAlivePolicy;
  /** http1 where absent. `caller`: the version that the call came with, as for ports of unknown protocol. */
  readonly protocol?: "http2" | "caller";
  /** Streams at a time on one HTTP/2 connection. Absent: as many as the peer allows. */
  readonly maxConcurrentStreams?: number;
  /** PING frames on HTTP/2 connections. */
  readonly http2KeepAlive?: { readonly intervalMs: number; readonly timeoutMs: number };
}

/** TCP keep-alive: of the rule field by field over the mesh's, and the kernel's defaults. */
export interface KeepAlivePolicy {
  /** Unanswered probes before the connection is given up. @default 9, Linux */
  readonly probes: number;
  /** Idle time before the first one. @default 7,200,000 ms, Linux */
  readonly timeMs: number;
  /** Between two. @default 75,000 ms, Linux */
  readonly intervalMs: number;
}

/** Of one process and one cluster. 0 is unlimited; Istio's default for each is 2^32 - 1. Beyond: 503, UO. */
export interface LimitPolicy {
  readonly maxConnections: number;
  /** Requests that wait for a connection, whatever the version of HTTP. */
  readonly maxPendingRequests: number;
  /** Requests under way, whatever the version of HTTP. */
  readonly maxRequests: number;
  /** Retries under way at a time. */
  readonly maxRetries: number;
}

/** Retries under way may be max(minConcurrency, ratio of the requests under way and waiting). */
export interface RetryBudgetPolicy {
  /** 0–1. @default 0.2, Envoy */
  readonly ratio: number;
  /** @default 3, Envoy */
  readonly minConcurrency: number;
  /** Requests of this last while count, too; 0: only those of now. In ms. */
  readonly intervalMs: number;
}

export interface OutlierPolicy {
  /** Failures in a row that eject; 0: they never do. @default 5, Envoy */
  readonly consecutiveErrors: number;
  /** The same for 502, 503 and 504. @default 0 */
  readonly consecutiveGatewayErrors: number;
  /** What never was an answer (refused, timed out, reset) counts apart, and neither as an error nor as a gateway error. */
  readonly splitsLocalErrors: boolean;
  /** Such failures in a row that eject, when they count apart. @default 5, Envoy */
  readonly consecutiveLocalErrors: number;
  /** Statuses that are errors. Empty: 500 to 599. */
  readonly errorStatuses: readonly number[];
  /** Between two sweeps, which end ejections and forgive. In ms. @default 10,000, Envoy */
  readonly intervalMs: number;
  /** An ejection lasts this times the number of ejections in a row, in ms. @default 30,000, Envoy */
  readonly baseEjectionMs: number;
  /** But no longer than this: Envoy's 300,000 ms, or the base if that is more. Istio has no field for it. */
  readonly maxEjectionMs: number;
  /** Share of the endpoints that may be out at a time, 0–1. @default 0.1, Envoy */
  readonly maxEjectionRatio: number;
  /** With a smaller share of them in use, ejected ones are used as well, 0–1. @default 0: never, Istio */
  readonly minHealthRatio: number;
  /** One may be out whatever `maxEjectionRatio` says of so few. Envoy's always_eject_one_host, for which Istio has no field. */
  readonly ejectsOne?: boolean;
  /** Ejects who succeeds less often than the others. Absent where not asked for, as in all of Istio's YAML. */
  readonly successRate?: RateJudgement & {
    /** Below the mean by more than this many standard deviations. @default 1.9, Envoy */
    readonly deviations: number;
  };
  /** Ejects who fails more often than may be. Absent likewise. */
  readonly failureShare?: RateJudgement & {
    /** Of its attempts, 0–1. @default 0.85, Envoy */
    readonly ratio: number;
  };
}

/** Who is judged by all attempts of an interval. */
export interface RateJudgement {
  /** With fewer endpoints to judge nobody is. @default 5, Envoy */
  readonly minEndpoints: number;
  /** With fewer attempts in the interval an endpoint is not judged. */
  readonly minRequests: number;
  /** Share of the verdicts that are carried out, 0–1. */
  readonly enforcedRatio: number;
}

export type HashAlgorithm =
  | {
      readonly kind: "ringHash";
      /** Points on the ring. @default 1024, Istio */
      readonly minimumRingSize: number;
    }
  | {
      readonly kind: "maglev";
      /** A prime. */
      readonly tableSize: number;
    };

/** A new endpoint's weight grows to its full: max(minimumRatio, (age / windowMs) ^ (1 / aggression)). */
export interface WarmupPolicy {
  readonly windowMs: number;
  /** 0–1. @default 0.1, Istio */
  readonly minimumRatio: number;
  /** @default 1, Istio: in a straight line */
  readonly aggression: number;
}

/** Which localities calls go to. Made for this client: of all that is written, only what its own locality is concerned by. */
export type LocalityPolicy = LocalityDistribution | LocalityFailover | ZoneAwareness;

/** Shares as written; one of which too few endpoints are usable (less than 1/1.4) gives calls to the others. */
export interface LocalityDistribution {
  readonly kind: "distribute";
  /** A locality that none of them means gets no calls. */
  readonly shares: readonly {
    /** Empty parts mean any. Localities of one share divide it by the weights of their endpoints. */
    readonly to: Locality;
    /** 0–1; together 1. */
    readonly ratio: number;
  }[];
}

/** Endpoints in ranks; the next rank helps out when too few of one are healthy (less than 1/1.4 of them). */
export interface LocalityFailover {
  readonly kind: "failover";
  /**
   * Ranks first: an endpoint that has all of these labels is in rank 0, one that misses the last one in 1, one that misses the
   * first in the last, whatever else it has. Values are the client's own unless the rule wrote one. Often empty.
   */
  readonly labels: readonly { readonly name: string; readonly value: string }[];
  /** Ranks within those. Absent where only labels count, or the client's locality is not known. */
  readonly nearness?: Nearness;
  /**
   * A locality keeps its part of its rank's calls as long as 71 % of it are healthy, as Envoy weighs localities where a rule
   * writes an order of its own. @default false: endpoints of a rank are alike, wherever they are
   */
  readonly weighsLocalities?: boolean;
}

/** 0 in the same subzone, 1 in the zone, 2 in the region, 3 elsewhere or in `toRegion`, 4 elsewhere when there is a `toRegion`. */
export interface Nearness {
  readonly own: Locality;
  readonly toRegion?: string;
}

/** Calls prefer the client's zone as far as it can bear its share; regions are ranks: own, `toRegion`, others. */
export interface ZoneAwareness {
  readonly kind: "zoneAware";
  /** With fewer endpoints all zones are one. @default 6, Envoy */
  readonly minClusterSize: number;
  /** As for failover. */
  readonly labels: LocalityFailover["labels"];
  readonly nearness: Nearness;
}
