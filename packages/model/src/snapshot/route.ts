/** Compiled routing: the shape every source of policy (Istio, Gateway API, xDS) is brought into. */

import type { ResourceRef } from "../resource.js";
import type { Service, ServiceRef } from "./workload.js";

/** What a matcher may ask of a request. Kept small so that every adapter can offer it without copying. */
export interface MatchRequest {
  readonly method: string;
  /** Path with query, as it will be sent: `/a/b?c=d`. */
  readonly path: string;
  /** Host header / :authority as the caller wrote it, port included if written. */
  readonly authority: string;
  readonly scheme: string;
  /** Values of a header by lower-case name; a string when there is one line, a list for repeated lines. */
  header(name: string): string | readonly string[] | undefined;
}

export type HeaderPair = readonly [name: string, value: string];

/** Applied in this order: remove, set, add (policy-semantics §1.6). Names are lower-case. */
export interface HeaderOps {
  readonly remove: readonly string[];
  readonly set: readonly HeaderPair[];
  readonly add: readonly HeaderPair[];
}

export interface Destination {
  /** Cluster name, `outbound|80|v1|reviews.shop.svc.cluster.local`. */
  readonly cluster: string;
  readonly host: string;
  readonly port: number;
  readonly subset: string;
  /** Share among the route's destinations; the sum is `Route.totalWeight`. */
  readonly weight: number;
  /**
   * Absent when the destination adds nothing of its own, and where a rule has one destination only: its operations are
   * then part of the route's. They apply before the route's, so that the route's `set` wins (policy-semantics §1.6).
   */
  readonly requestHeaders?: HeaderOps;
  readonly responseHeaders?: HeaderOps;
  /** Host rewrite of this destination; counts only when the route has none. */
  readonly authority?: string;
  /**
   * Each request names its cluster itself: what the destination comes to for this one. `cluster` says in words where the
   * name stands. @returns itself where the request names none
   */
  readonly forRequest?: (request: MatchRequest) => Destination;
}

export interface RetryPolicy {
  /** First attempt included: Istio's `attempts` + 1. 1 switches retries off. */
  readonly maxAttempts: number;
  /** Conditions by Envoy's names: `5xx`, `connect-failure`, … */
  readonly on: ReadonlySet<string>;
  /** From numeric tokens of retryOn, and `retriable-status-codes`. */
  readonly statusCodes: ReadonlySet<number>;
  /** Per attempt, in ms, the first included; 0 when none. */
  readonly perTryTimeoutMs: number;
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
  /** Host selection is repeated up to 5 times to avoid endpoints this call has tried. */
  readonly avoidPreviousHosts: boolean;
  /** Retries prefer localities that were not tried yet. */
  readonly retryRemoteLocalities: boolean;
  /** Tokens as written, for explain and the admin endpoint. */
  readonly tokens: readonly string[];
}

export interface FaultPolicy {
  /** Share of requests delayed, 0–1. */
  readonly delayRatio: number;
  readonly delayMs: number;
  /** Share of requests aborted, 0–1. */
  readonly abortRatio: number;
  /** HTTP status of the abort; 0 when it is a gRPC status. */
  readonly abortStatus: number;
  readonly abortGrpcStatus?: string;
}

/** Values as the answer's headers hold them; empty: the header is not sent. */
export interface CorsPolicy {
  allowsOrigin(origin: string): boolean;
  readonly allowMethods: string;
  readonly allowHeaders: string;
  readonly exposeHeaders: string;
  /** In seconds. */
  readonly maxAge: string;
  readonly allowCredentials: boolean;
  /** A preflight from an origin that is not allowed goes to the upstream (the default), or is answered here. */
  readonly forwardsUnmatchedPreflights: boolean;
  /** A `*` for methods or headers is answered with those asked for: with credentials browsers take `*` for a name. */
  readonly repeatsWhatIsAsked?: boolean;
  /** Of the rule: `corsPolicy`, or `filters[1].cors`. */
  readonly field: string;
}

/** Part of a request whose hash chooses the endpoint; a request that lacks it has none. Header names are lower-case. */
export type HashKey = HashPart & {
  /** Once there is a hash, of this part or of one before, those behind it do not count. */
  readonly terminal?: true;
};

export type HashPart =
  | {
      readonly kind: "header";
      readonly name: string;
      /** What of a line's value is hashed. */
      readonly rewrite?: (value: string) => string;
    }
  | { readonly kind: "queryParameter"; readonly name: string }
  /** Address of the caller. */
  | { readonly kind: "sourceIp" }
  /** The calling process: all of its requests go to one endpoint. */
  | { readonly kind: "process" }
  | {
      readonly kind: "cookie";
      readonly name: string;
      /** Empty: of the request. */
      readonly path: string;
      /** A request without the cookie gets one that lives as long; 0 while the browser runs. Absent: it gets none. In ms. */
      readonly ttlMs?: number;
      readonly attributes: readonly HeaderPair[];
    };

/** Requests that bring the mark of a session go where the first of them went. */
export interface SessionPolicy {
  readonly kind: "cookie" | "header";
  /** Of the cookie or, in lower case, of the header that holds the mark. */
  readonly name: string;
  /** Of the cookie. */
  readonly path: string;
  /** The cookie outlives the browser, until the session ends. */
  readonly permanent: boolean;
  /** A session ends so long after its first request, in ms; 0: never. */
  readonly absoluteMs: number;
  /** A session ends so long after its last request, in ms; 0: never. */
  readonly idleMs: number;
}

export interface MirrorPolicy {
  readonly destination: Destination;
  /** 0–1. */
  readonly ratio: number;
  /** Of the rule: `mirror`, or `mirrors[1]`. */
  readonly field: string;
}

/** Change of path and authority before the request is sent. */
export interface Rewrite {
  /** Applied to the path without its query; the query is kept. */
  readonly path?: (path: string) => string;
  /** From rewrite.authority or a `Host`/`:authority` header operation, precedence already decided (policy-semantics §1.6). */
  readonly authority?: string;
  /** In its place: asked for each request, once its headers are changed and while its path is the caller's. Undefined leaves it. */
  readonly authorityOf?: (request: MatchRequest) => string | undefined;
  /** In its place: the name of the endpoint that is picked, where that has one. */
  readonly endpointAuthority?: true;
  /** What the authority was is added to `x-forwarded-host`. */
  readonly forwardsHost?: true;
}

export interface RedirectAction {
  readonly kind: "redirect";
  readonly status: number;
  /** Location for this request. */
  location(request: MatchRequest): string;
}

export interface DirectResponseAction {
  readonly kind: "directResponse";
  readonly status: number;
  readonly body: string | Uint8Array | undefined;
}

export interface ForwardAction {
  readonly kind: "forward";
  readonly destinations: readonly Destination[];
  readonly totalWeight: number;
  /** What the caller gets when the destination it was drawn for does not exist. @default 503 */
  readonly missingStatus?: number;
}

export type RouteAction = ForwardAction | RedirectAction | DirectResponseAction;

/** Where a rule is written. */
export interface RuleRef {
  readonly resource: ResourceRef;
  /** `spec.http[2]`. */
  readonly path: string;
}

/** A rule that no request of this caller to this port can match, for explain. */
export interface RuleForOthers extends RuleRef {
  readonly name: string;
  readonly delegatedBy?: RuleRef | undefined;
  /** It is written after so many of `VirtualHost.routes`. */
  readonly before: number;
  /** `it is for port 8080`. */
  readonly why: string;
}

/** One way to match: all its conditions hold together. */
export interface Match {
  /** Whole test, path included. */
  matches(request: MatchRequest): boolean;
  /** Why it does not match, for explain; undefined when it does. */
  whyNot(request: MatchRequest): string | undefined;
  /** For display: `prefix /api, header x-user exact "beta"`. */
  readonly text: string;
}

export interface Route {
  /** As the access log shows it; `default` when no policy names one. */
  readonly name: string;
  /** The document it comes from; null for the default route of a service. */
  readonly resource: ResourceRef | null;
  /**
   * Position in its resource: `spec.http[2]`, or `spec.http[2].match[0]` (`spec.rules[2].matches[0]`) for one of several alternatives, which are routes
   * of their own since rewrites depend on what was matched. Empty for the default route.
   */
  readonly path: string;
  /** The rule of another VirtualService that delegates to it, which gives what this one leaves out. */
  readonly delegatedBy?: RuleRef | undefined;
  /** Alternatives. Empty: matches everything. */
  readonly matches: readonly Match[];
  readonly action: RouteAction;
  readonly rewrite: Rewrite | undefined;
  /** Whole exchange with all retries, in ms; 0 when off. */
  readonly timeoutMs: number;
  readonly retry: RetryPolicy;
  readonly fault: FaultPolicy | undefined;
  readonly mirrors: readonly MirrorPolicy[];
  readonly cors: CorsPolicy | undefined;
  readonly requestHeaders: HeaderOps | undefined;
  readonly responseHeaders: HeaderOps | undefined;
  /**
   * What is hashed for clusters that pick by hash: one key for each destination that has one, in order, combined into one
   * hash. Absent: no destination has any.
   */
  readonly hashKeys?: readonly HashKey[] | undefined;
  /** Ties the requests of a session to one endpoint, before weights and balancing. */
  readonly session?: SessionPolicy | undefined;
  /** Name for statistics of its own that `match` asks for. */
  readonly statPrefix?: string | undefined;
  /** MeshMode `observe`: what policy would have done with its calls is worked out beside them. */
  readonly observed?: boolean;
}

/** Rules of one host and port. Compiled on first use and kept while nothing it depends on changes. */
export interface VirtualHost {
  /** `reviews.shop.svc.cluster.local:80`. */
  readonly name: string;
  /** Undefined when a VirtualService names a host without a service. */
  readonly service: Service | undefined;
  readonly port: number;
  /** The VirtualService or HTTPRoute in charge; null when the service has its default route only. */
  readonly resource: ResourceRef | null;
  readonly routes: readonly Route[];
  /**
   * Its rules are not told yet, and are once this is said to be in use: calls wait for a snapshot that has them, and are then
   * looked up anew. It has no routes meanwhile. Absent where rules are known.
   */
  readonly pending?: ServiceRef;
  /** Rules of the same documents that were compiled away, in order. */
  readonly forOthers?: readonly RuleForOthers[];
  /** First route in order that matches, in time nearly independent of their number; undefined is Envoy's NR (404). */
  find(request: MatchRequest): Route | undefined;
}

export interface RouteTable {
  /**
   * Rules for an authority as a caller of this snapshot writes it, or undefined for a host the mesh does not know.
   * @param host lower-case or not, without port
   * @param port the port being addressed (80 and 443 when the URL says none)
   */
  lookup(host: string, port: number): VirtualHost | undefined;
  /**
   * A known port on which the application speaks TLS itself (protocol https or tls): no rule can see into it, `lookup`
   * does not find it, and REGISTRY_ONLY does not refuse it.
   */
  isOpaque(host: string, port: number): boolean;
  /** Every virtual host of the client's view, compiled: for display, not for requests. */
  all(): readonly VirtualHost[];
}
