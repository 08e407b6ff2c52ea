/**
 * What our own kinds CircuitBreaker, Resilience and RateLimit ask, compiled. docs/reference/resilience.md. The parts that concern
 * callers hang on a cluster's `TrafficPolicy`, the parts that concern the process's own servers on the snapshot.
 */

import type { Destination, HeaderPair, MatchRequest, RuleRef } from "./route.js";

export interface BreakerPolicy {
  /** What one breaker watches: all calls of the cluster, those of one rule, or those to one endpoint. */
  readonly scope: "cluster" | "route" | "endpoint";
  /** Attempts of this last while count, in ms. @default 10,000 */
  readonly windowMs: number;
  /** With fewer attempts in the window it stays closed. @default 20 (pitfalls B9) */
  readonly minRequests: number;
  /** Opens when more than this share of them failed, 0–1. @default 0.5 */
  readonly failureRatio: number;
  /** Opens, too, when more than `ratio` of them took longer than `slowerThanMs`. */
  readonly slow?: { readonly slowerThanMs: number; readonly ratio: number };
  /** Nothing is sent for this long, in ms. @default 10,000 */
  readonly openMs: number;
  /** Attempts let through afterwards, one, then two, then four at a time; it closes unless too many of them fail. @default 5 */
  readonly probes: number;
  /** Instead of the error that it is open. */
  readonly fallback?: BreakerFallback;
  readonly resource: RuleRef;
}

export type BreakerFallback =
  | {
      readonly kind: "response";
      readonly status: number;
      readonly headers: readonly HeaderPair[];
      readonly body: string | undefined;
    }
  /** The last good answer to the same GET, not older than this. */
  | { readonly kind: "stale"; readonly maxAgeMs: number }
  /** Another cluster is called, whose own breaker may be open, too. */
  | { readonly kind: "destination"; readonly destination: Destination };

/** Endpoints are asked whether they are well, besides being judged by their answers. */
export interface HealthCheckPolicy {
  readonly kind: "http" | "tcp" | "grpc";
  /** HTTP: GET of this path. */
  readonly path: string;
  /** gRPC: whom `grpc.health.v1.Health/Check` is asked about; empty: the server as a whole. */
  readonly service?: string;
  /** HTTP: Host header; empty: the cluster's host. */
  readonly authority: string;
  /** HTTP: statuses of a healthy endpoint, pairs of first and last. @default 200–299 */
  readonly statuses: readonly (readonly [first: number, last: number])[];
  /** In ms. @default 5,000 */
  readonly intervalMs: number;
  /** In ms. @default 1,000 */
  readonly timeoutMs: number;
  /** Failures in a row that put an endpoint out. @default 3 */
  readonly unhealthyThreshold: number;
  /** Successes in a row that bring it back. @default 2 */
  readonly healthyThreshold: number;
  /** Another port than the endpoint's own; 0: that one. */
  readonly port: number;
}

/** Retries by rate: each first attempt earns `ratio` of a retry, and time earns `minPerSecond`. Beside `retryBudget`, which counts those under way. */
export interface RetryRatePolicy {
  /** 0–1. */
  readonly ratio: number;
  readonly minPerSecond: number;
}

/** Sends a further attempt when no answer came in time, and takes the first that comes. Idempotent requests only, inside the retry budget. */
export interface HedgingPolicy {
  /** First attempt included. */
  readonly maxAttempts: number;
  /** Between two, in ms. */
  readonly delayMs: number;
}

/** Of the process's own servers. */
export interface ServerPolicy {
  /** In order of their names. */
  readonly rateLimits: readonly RateLimitPolicy[];
  /** Counted by somebody else, for all processes together; in order of their names. Absent: none are. */
  readonly sharedLimits?: readonly SharedLimitPolicy[];
  /** Absent: whoever comes is served. */
  readonly admission?: AdmissionPolicy;
}

/** What of a request makes its bucket: requests that differ in it do not share one. */
export type RateLimitKey =
  /** Address of the peer. */
  | { readonly kind: "sourceIp" }
  | { readonly kind: "header"; readonly name: string }
  | { readonly kind: "method" }
  | { readonly kind: "path" };

export interface RateLimitPolicy {
  /** `ns/name/rule`: also the policy's name in the RateLimit headers. */
  readonly name: string;
  matches(request: MatchRequest): boolean;
  /** Empty: all requests share one bucket. */
  readonly keys: readonly RateLimitKey[];
  /** Tokens that `perMs` brings. */
  readonly requests: number;
  readonly perMs: number;
  /** Size of the bucket. @default `requests` */
  readonly burst: number;
  readonly resource: RuleRef;
}

/** Envoy's rate limit service (v3), as clients of the mesh name it. One object for all rules that it is asked about at once. */
export interface SharedLimitService {
  readonly host: string;
  readonly port: number;
  readonly domain: string;
  /** @default 20, as Envoy's */
  readonly timeoutMs: number;
  /** Without an answer requests are turned away. @default false, as Envoy's */
  readonly failureModeDeny: boolean;
}

export interface SharedLimitPolicy {
  /** `ns/name/rule`. */
  readonly name: string;
  /** What the service knows the rule by. */
  readonly rule: string;
  matches(request: MatchRequest): boolean;
  readonly keys: readonly RateLimitKey[];
  /** What a request costs. */
  readonly hits: number;
  readonly service: SharedLimitService;
  readonly resource: RuleRef;
}

export type Priority = "critical" | "default" | "sheddable";

export interface AdmissionPolicy {
  /** Requests served at a time; 0 is unlimited. */
  readonly maxConcurrency: number;
  /** Finds the limit itself between these: a gradient of latencies. */
  readonly adaptive?: { readonly minConcurrency: number; readonly maxConcurrency: number };
  /** Beyond this delay of the event loop, in ms, requests are turned away; 0: never for that. */
  readonly maxLoopDelayMs: number;
  /** First that matches; none: `default`. Sheddable ones are turned away at 80 % of a limit, default ones at it, critical ones at 120 %. */
  readonly priorities: readonly { readonly priority: Priority; matches(request: MatchRequest): boolean }[];
  /** Lower-case name of a header in which a caller of the mesh says the priority; empty: nobody is believed. */
  readonly priorityHeader: string;
  readonly resource: RuleRef;
}

/** Servers without any policy of ours. */
export const NO_SERVER_POLICY: ServerPolicy = Object.freeze({ rateLimits: Object.freeze([]) });
