/** Consul's config entries, read: what they say of how services are called. Durations in ms, absent where Consul has its default. */

export interface ConfigEntries {
  readonly resolvers: ReadonlyMap<string, ServiceResolver>;
  readonly splitters: ReadonlyMap<string, ServiceSplitter>;
  readonly routers: ReadonlyMap<string, ServiceRouter>;
  readonly defaults: ReadonlyMap<string, ServiceDefaults>;
  readonly proxy: ProxyDefaults | undefined;
  readonly mesh: MeshEntry | undefined;
  readonly intentions: readonly Intention[];
}

/** Kinds that are read, and the first Consul that has them. */
export const CONFIG_ENTRY_KINDS = {
  "proxy-defaults": "1.5",
  "service-defaults": "1.5",
  "service-resolver": "1.6",
  "service-splitter": "1.6",
  "service-router": "1.6",
  "service-intentions": "1.9",
  mesh: "1.10",
} as const;

export type ConfigEntryKind = keyof typeof CONFIG_ENTRY_KINDS;

interface Entry {
  readonly name: string;
  /** What it says that is not acted on: a phrase each. */
  readonly notHonoured: readonly NotHonoured[];
}

export interface NotHonoured {
  /** `Routes[0].Destination.IdleTimeout`. */
  readonly field: string;
  /** What happens instead, a sentence. */
  readonly why: string;
  /** `info` where nothing that a caller sees is different. @default "warning" */
  readonly severity?: "warning" | "info";
}

export interface ServiceResolver extends Entry {
  readonly connectTimeoutMs: number | undefined;
  readonly requestTimeoutMs: number | undefined;
  readonly defaultSubset: string;
  readonly subsets: ReadonlyMap<string, ResolverSubset>;
  readonly redirect: ResolverRedirect | undefined;
  /** By subset; `*` for those that have none of their own. */
  readonly failover: ReadonlyMap<string, ResolverFailover>;
  readonly loadBalancer: LoadBalancer | undefined;
  /** PrioritizeByLocality: calls stay near as long as somebody is well there. */
  readonly byLocality: boolean;
}

export interface ResolverSubset {
  readonly filter: string;
  readonly onlyPassing: boolean;
}

/** Empty strings: as the redirected one. */
export interface ResolverRedirect {
  readonly service: string;
  readonly subset: string;
  readonly datacenter: string;
}

export interface ResolverFailover {
  readonly service: string;
  readonly subset: string;
  readonly datacenters: readonly string[];
  /** Instead of the three above: each by itself. */
  readonly targets: readonly ResolverRedirect[];
}

export interface LoadBalancer {
  readonly policy: "random" | "round_robin" | "least_request" | "ring_hash" | "maglev";
  readonly minimumRingSize: number | undefined;
  readonly hash: HashKey | undefined;
}

export type HashKey =
  | { readonly kind: "sourceIp" }
  | { readonly kind: "header" | "queryParameter"; readonly name: string }
  /** Without ttl and session it is read and never set. */
  | { readonly kind: "cookie"; readonly name: string; readonly path: string; readonly ttlMs: number | undefined };

export interface HeaderChange {
  readonly add: ReadonlyMap<string, string>;
  readonly set: ReadonlyMap<string, string>;
  readonly remove: readonly string[];
}

interface Headers {
  readonly requestHeaders: HeaderChange;
  readonly responseHeaders: HeaderChange;
}

export interface ServiceSplitter extends Entry {
  readonly splits: readonly ServiceSplit[];
}

export interface ServiceSplit extends Headers {
  /** Percent, two decimals. */
  readonly weight: number;
  /** Empty: the splitter's own. */
  readonly service: string;
  readonly subset: string;
}

export interface ServiceRouter extends Entry {
  readonly routes: readonly ServiceRoute[];
}

export interface ServiceRoute {
  /** Absent: every request. */
  readonly match: RouteMatch | undefined;
  readonly destination: RouteDestination;
}

export interface RouteMatch {
  readonly pathExact: string | undefined;
  readonly pathPrefix: string | undefined;
  readonly pathRegex: string | undefined;
  readonly ignoreCase: boolean;
  readonly headers: readonly ValueMatch[];
  readonly query: readonly ValueMatch[];
  readonly methods: readonly string[];
}

/** One of exact, prefix, suffix, contains and regex, or presence. */
export interface ValueMatch {
  readonly name: string;
  readonly kind: "present" | "exact" | "prefix" | "suffix" | "contains" | "regex";
  readonly value: string;
  readonly ignoreCase: boolean;
  readonly invert: boolean;
}

export interface RouteDestination extends Headers {
  /** Empty: the router's own. */
  readonly service: string;
  readonly subset: string;
  readonly prefixRewrite: string;
  readonly requestTimeoutMs: number | undefined;
  readonly retries: number | undefined;
  readonly retryOnConnectFailure: boolean;
  readonly retryOnStatusCodes: readonly number[];
  /** Envoy's conditions. */
  readonly retryOn: readonly string[];
}

export interface ServiceDefaults extends Entry {
  /** Lower case; empty: proxy-defaults', else tcp. */
  readonly protocol: string;
  /** 0: unlimited. */
  readonly maxInboundConnections: number;
  /** How its own upstreams are called. */
  readonly upstreams: UpstreamConfig | undefined;
  /** Outside of the mesh. */
  readonly destination: ExternalDestination | undefined;
}

export interface ExternalDestination {
  readonly addresses: readonly string[];
  readonly port: number;
}

export interface UpstreamConfig {
  readonly defaults: UpstreamPolicy | undefined;
  readonly overrides: ReadonlyMap<string, UpstreamPolicy>;
}

export interface UpstreamPolicy {
  readonly connectTimeoutMs: number | undefined;
  readonly maxConnections: number | undefined;
  readonly maxPendingRequests: number | undefined;
  readonly maxConcurrentRequests: number | undefined;
  readonly passiveHealthCheck: PassiveHealthCheck | undefined;
}

export interface PassiveHealthCheck {
  readonly intervalMs: number | undefined;
  readonly maxFailures: number | undefined;
  readonly baseEjectionTimeMs: number | undefined;
  readonly maxEjectionPercent: number | undefined;
}

export interface ProxyDefaults extends Entry {
  readonly protocol: string;
}

export interface MeshEntry extends Entry {}

export interface Intention {
  /** Service, or `*`. */
  readonly destination: string;
  readonly sources: readonly IntentionSource[];
  /** Where it was said: `service-intentions/web`. */
  readonly origin: string;
}

export interface IntentionSource {
  readonly name: string;
  /** Of another cluster: never somebody of this mesh. */
  readonly peer: string;
  /** Absent where permissions decide. */
  readonly action: "allow" | "deny" | undefined;
  readonly permissions: readonly Permission[];
}

export interface Permission {
  readonly action: "allow" | "deny";
  readonly pathExact: string | undefined;
  readonly pathPrefix: string | undefined;
  readonly pathRegex: string | undefined;
  readonly methods: readonly string[];
  readonly headers: readonly ValueMatch[];
  /** Also asks for a token, which this reader does not know of: it never holds. */
  readonly needsToken: boolean;
}
