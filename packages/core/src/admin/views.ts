/**
 * What a process tells about itself: the JSON of its admin endpoint, read by the CLI, `inmesh dev` and the dashboard.
 * Fields are only ever added. No secret, no request body, no header value except those of a request's own line. More than 400
 * lines: it is one contract with tools, and nothing but types.
 */

import type { Problem } from "@inmesh/model";
import type { GateReading } from "../admission/gate.js";
import type { BalancerView } from "../balance/balancer.js";
import type { Out } from "../health/out-story.js";
import type { MirrorReading } from "../mirror/mirror-tally.js";
import type { WouldView } from "../rehearsal/would.js";
import type { WouldReading } from "../rehearsal/would-stats.js";
import type { GuardReading } from "../security/access-counts.js";
import type { StageView } from "../stack/stack.js";
import type { CallStatsReading } from "../stats/call-stats.js";
import type { CodeRouteReading } from "../stats/code-routes.js";
import type { RuleStatsReading } from "../stats/rule-stats.js";
import type { TimeLedger } from "../telemetry/outcome-record.js";
import type { IdentityView } from "./certs-view.js";
import type { ServerSecurityView } from "./security-view.js";
import type { XdsReading } from "./xds-reading.js";

/** GET /server_info */
export interface ServerInfo {
  readonly inmesh: string;
  readonly schemaVersion: number;
  readonly node: string;
  readonly pid: number;
  readonly namespace: string;
  readonly service: string;
  readonly instance: string;
  readonly labels: Readonly<Record<string, string>>;
  /** In force: the narrower of the process's own setting and of the MeshMode that means it. */
  readonly mode: string;
  /** Where it comes from: `MeshMode/ns/name`, `setting`, or `default`. */
  readonly modeFrom?: string;
  readonly uptimeMs: number;
  /** Ports its servers listen on, in order of listening. */
  readonly ports: readonly number[];
  /** Seams patched by register: `fetch`, `http`, `server`, … */
  readonly patched: readonly string[];
  readonly state: "starting" | "ready" | "degraded" | "draining";
  /** Older processes tell `url`, `state`, `sinceMs` and `reason` alone. */
  readonly registry: Pick<RegistryReading, "url" | "state" | "sinceMs" | "reason"> & Partial<RegistryReading>;
  readonly snapshot: { readonly version: number; readonly revision: string };
  readonly problems: number;
  /** Absent from older processes. */
  readonly identity?: IdentityView;
  /** Ports that let nobody in because of PeerAuthentication, and why, a sentence each. Absent from older processes. */
  readonly refusing?: readonly string[];
}

/** GET /registry */
export interface RegistryReading {
  readonly url: string;
  /** `stale`: it is away and its last word stands. */
  readonly state: "connecting" | "fresh" | "stale";
  readonly sinceMs: number;
  /** Why it is stale. */
  readonly reason?: string;
  /** How far behind the server may be that answers, where it says so. */
  readonly lagMs?: number;
  /** How old the registry's word is that is in force; 0 while it answers. */
  readonly staleMs: number;
  /** When the state was saved that is in force because the registry has not answered since the start; ISO 8601. */
  readonly stateSavedAt?: string;
  /** Since the snapshot in force was published; -1 before the first. */
  readonly snapshotAgeMs: number;
  /** Of a registry that tells instances only of services in use: how many it knows, and of how many it told. Absent otherwise. */
  readonly services?: { readonly known: number; readonly loaded: number };
  /** Since start: what the registry said, and what of it led to a new snapshot. */
  readonly views: number;
  readonly publications: number;
  /** Instances that the registry lost all at once and that are used for a while longer. */
  readonly held: readonly HeldView[];
  /** Of a control plane that speaks xDS; absent otherwise. */
  readonly xds?: XdsReading;
}

export interface HeldView {
  readonly namespace: string;
  readonly service: string;
  /** Names of workloads. */
  readonly instances: readonly string[];
  /** How many instances the service had before. */
  readonly of: number;
  readonly sinceMs: number;
  /** Until the registry is obeyed. */
  readonly forMs: number;
}

/** GET /healthz, 503 while no calls should be sent here. */
export interface HealthView {
  readonly status: "ok" | "degraded" | "starting" | "draining" | "failing";
  /** What is not as it should be, one sentence each. */
  readonly details: readonly string[];
  readonly registry: RegistryReading;
}

/** GET /snapshot */
export interface SnapshotView {
  readonly version: number;
  readonly revision: string;
  readonly mode: string;
  readonly outboundPolicy: string;
  readonly services: readonly ServiceView[];
  readonly virtualHosts: readonly VirtualHostView[];
  /** Content hash by `Kind/ns/name` of every document in force here. */
  readonly resources: Readonly<Record<string, string>>;
  /**
   * Services, by `namespace/service`, whose own policy this process reads: that of others is not among `resources`, and is no
   * concern of its. Absent where all policy is read by everybody.
   */
  readonly policyOf?: readonly string[];
  readonly problems: readonly Problem[];
}

export interface ServiceView {
  readonly host: string;
  readonly name: string;
  readonly namespace: string;
  readonly ports: readonly { readonly number: number; readonly name: string; readonly protocol: string }[];
  readonly resolution: string;
  readonly location: string;
  /** Number of endpoints over all subsets. */
  readonly endpoints: number;
  /** The registry tells instances of services in use, and has not told all of its: there may be more. Absent otherwise. */
  readonly pending?: true;
  readonly resource: string;
}

export interface VirtualHostView {
  readonly name: string;
  /** `Kind/ns/name`, or empty for the default route. */
  readonly resource: string;
  /** Its rules are told once it is called, and there are none here until then. Absent otherwise. */
  readonly pending?: true;
  readonly routes: readonly RouteView[];
}

export interface RouteView {
  readonly name: string;
  readonly resource: string;
  /** Matches in words; empty: everything. */
  readonly matches: readonly string[];
  /** `reviews v1 90%, reviews v2 10%`, `redirect 301`, `direct response 200`. */
  readonly action: string;
  readonly timeoutMs: number;
  readonly maxAttempts: number;
  readonly retryOn: readonly string[];
}

/** GET /clusters: clusters this process has called. */
export interface ClustersView {
  readonly clusters: readonly ClusterView[];
}

export interface ClusterView {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly subset: string;
  readonly loadBalancer: string;
  /** How its calls are spread now: sizes of rings and subsets, shares of localities. Absent where `loadBalancer` says it all. */
  readonly balancing?: BalancerView;
  /** Of its connections, in words; `DISABLE` for plaintext. */
  readonly tls: string;
  readonly stats: CallStatsReading;
  /** Retries left by rate (Resilience `retry`); absent where policy has no such budget. */
  readonly retriesLeft?: number;
  /** What is in use of what its policy limits. Absent from older processes. */
  readonly limits?: LimitsView;
  /** Its circuit breakers, as far as calls have come to them; absent where policy has none. */
  readonly breakers?: readonly BreakerView[];
  /** Endpoints that calls may go to now. Absent from older processes. */
  readonly usable?: number;
  /** So few of them are well that all are used. */
  readonly panic?: boolean;
  /** Instances that the registry has yet to tell are waited for. Absent otherwise. */
  readonly pending?: true;
  readonly endpoints: readonly EndpointView[];
}

export interface LimitsView {
  /** Under way. */
  readonly requests: LimitView;
  /** Waiting for a connection. */
  readonly pending: LimitView;
  readonly connections: LimitView;
  /** Under way, back-off included. */
  readonly retries: LimitView;
}

export interface LimitView {
  readonly inUse: number;
  /** As of now: that of a retry budget changes with the requests. 0: unlimited. */
  readonly most: number;
  /** How often there was none left, since start. */
  readonly overflows: number;
}

export interface BreakerView {
  /** `Kind/ns/name`. */
  readonly resource: string;
  /** What it stands for, in words. */
  readonly name: string;
  /** Endpoint that it stands for; empty for a cluster or a rule. */
  readonly endpoint: string;
  readonly state: "closed" | "open" | "halfOpen";
  /** How long it has been so. */
  readonly sinceMs: number;
  /** Until the next probe; 0 where it is not open. */
  readonly forMs: number;
  /** What opened it last, in words; empty where nothing has. */
  readonly cause: string;
  /** All of it in a sentence. */
  readonly text: string;
  /** Since start. */
  readonly openings: number;
  readonly refused: number;
  /** Attempts in the window. */
  readonly requests: number;
  readonly failures: number;
  readonly slow: number;
}

export interface EndpointView {
  /** `address:port`. */
  readonly id: string;
  /** Where new connections go: what a name stands for now. */
  readonly address: string;
  /** Name that `address` was looked up from; empty where the registry has the address. */
  readonly dnsName: string;
  readonly version: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly weight: number;
  readonly inFlight: number;
  readonly attempts: number;
  readonly failures: number;
  /** Moving average; -1 before the first sample or where the balancer keeps none. */
  readonly latencyMs: number;
  /** For how much longer it is left alone, as far as that is up to time; 0 when in use, and when only health checks keep it out. */
  readonly ejectedForMs: number;
  /** The registry lost it with many others at once: for how much longer it is used all the same. Absent otherwise. */
  readonly suspectForMs?: number;
  /** Why it is left alone; empty when in use. Absent from older processes. */
  readonly out?: readonly Out[];
  /** What outlier detection has counted; absent while there was nothing to count. */
  readonly outlier?: OutlierView;
  /** What its health checks found; absent where there are none. */
  readonly check?: HealthCheckView;
  readonly workloads: readonly string[];
}

export interface OutlierView {
  /** Failures in a row, by what they may eject for. */
  readonly errors: number;
  readonly gatewayErrors: number;
  readonly localErrors: number;
  /** Since start. */
  readonly ejections: number;
  /** Times it was not ejected because as many others as may be were out. */
  readonly spared: number;
}

export interface HealthCheckView {
  /** In a row. */
  readonly successes: number;
  readonly failures: number;
  /** Since start. */
  readonly checks: number;
  /** Ms since the last one; -1 before it. */
  readonly agoMs: number;
  /** What that found: `200`, `no answer within 1000 ms`. */
  readonly found: string;
}

/** GET /stats: counters since start; a reader subtracts two readings. */
export interface StatsView {
  /** Monotonic ms of the reading, comparable with other readings of the same process. */
  readonly atMs: number;
  /** Of the event loop since start, in ms: what it worked, and what it waited. Absent from older processes. */
  readonly loop?: { readonly activeMs: number; readonly idleMs: number };
  readonly service: string;
  readonly namespace: string;
  readonly outbound: readonly OutboundStats[];
  readonly inbound: InboundStats;
  /** Absent from older processes. */
  readonly registry?: RegistryReading;
  /** Calls that never found a cluster: no rule, unknown host, direct response, redirect. */
  readonly unrouted: number;
  /** Mode `observe`: what policy would have done, by host called. Empty until it is observed, absent from older processes. */
  readonly would?: readonly WouldReading[];
  /** Copies that mirrors sent, by cluster; in none of the other figures. Absent from older processes. */
  readonly mirrors?: readonly MirrorReading[];
  /** Calls of rules whose matches have a `statPrefix`, under that name. Absent where none has. */
  readonly rules?: readonly RuleStatsReading[];
  /** Rate limits and load shedding of its own servers; absent where policy asks for neither. */
  readonly gate?: GateReading;
  /** What access control has decided; absent where nothing asks for it. */
  readonly access?: GuardReading;
  /** Connections of its own servers, and who makes them. Absent from older processes. */
  readonly security?: ServerSecurityView;
  /** Which of its own routes caused which calls. Absent from older processes. */
  readonly codeRoutes?: readonly CodeRouteReading[];
}

export interface OutboundStats {
  readonly cluster: string;
  /** Service called. */
  readonly host: string;
  readonly subset: string;
  readonly stats: CallStatsReading;
  /** Cells of the latency histogram (stats/histogram.ts), for quantiles of an interval. */
  readonly cells: readonly number[];
  readonly endpoints: readonly {
    readonly id: string;
    readonly version: string;
    readonly attempts: number;
    readonly failures: number;
    /** Why connections to it are in plaintext, a phrase; empty: they are encrypted. Absent from older processes. */
    readonly plaintext?: string;
  }[];
}

export interface InboundStats {
  /** Begun. */
  readonly requests: number;
  /** Answered with a status of 500 or more. */
  readonly failures: number;
  /** Answered by the mesh before the application saw them: by rate limits and to shed load; and because their deadline had passed. In none of the other figures but `requests`. Absent from older processes. */
  readonly refused?: number;
  readonly expired?: number;
  /** Likewise by what says who may call: 400, 401 and 403. Absent from older processes. */
  readonly denied?: number;
  readonly inFlight: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

/** GET /requests?limit=n: newest first. */
export interface RequestsView {
  readonly requests: readonly RequestView[];
  /** Copies that mirrors sent, likewise: nobody waited for them. Absent from older processes. */
  readonly mirrors?: readonly RequestView[];
}

export interface RequestView {
  /** Ms before this reading at which it ended. */
  readonly agoMs: number;
  readonly method: string;
  readonly authority: string;
  /** Without query. */
  readonly path: string;
  readonly route: string;
  readonly cluster: string;
  readonly status: number;
  /** MeshError code, or empty. */
  readonly error: string;
  readonly message: string;
  readonly durationMs: number;
  /** Time spent in the mesh before the first attempt was handed to the transport, in microseconds. */
  readonly meshUs: number;
  readonly faultMs: number;
  /** Where the time went, in ms: parts that sum to `durationMs`, and `stallMs` within them. Absent from older processes. */
  readonly ledger?: TimeLedger;
  /** `slow here: …`, `slow there: …`; empty for a call that was not slow. Absent likewise. */
  readonly slow?: string;
  readonly noRetry: string;
  /** What the caller got because a circuit breaker was open: `response`, `stale`, `destination`. Absent where nothing. */
  readonly fallback?: string;
  readonly replayed: boolean;
  readonly attempts: readonly AttemptView[];
  /** Mode `observe`: what policy would have done; null in every other mode. */
  readonly would?: WouldView | null;
}

export interface AttemptView {
  readonly number: number;
  readonly endpoint: string;
  readonly version: string;
  /** `answered 200`, `answered UNAVAILABLE`, `refused`, `reset`, `timed out`, `cancelled`. */
  readonly outcome: string;
  readonly status: number;
  readonly durationMs: number;
}

/** GET /stack?service=reviews */
export interface StackView {
  readonly routes: readonly {
    readonly virtualHost: string;
    readonly route: string;
    readonly stages: readonly StageView[];
  }[];
}

/** GET /events: newest last, at most 500. */
export interface EventsView {
  readonly events: readonly {
    readonly atMs: number;
    readonly wallTime: string;
    readonly kind: string;
    readonly message: string;
  }[];
}
