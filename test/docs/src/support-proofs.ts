/**
 * What each field does here, and the test that proves it. A test takes every row at its word: each honoured field below
 * `path` must stand in the documents or the text of one of the proofs, and no field may be left without a row.
 */

import type { Kind } from "@inmesh/model";

/** Tests, by the short name that rows use. */
export const PROOFS = {
  /** Recorded answers of real Istio, replayed over sockets. */
  "istio-routes": "test/istio/src/dispatcher.test.ts",
  /** Recorded answers of Envoy Gateway, replayed over sockets. */
  "gateway-routes": "test/istio/src/dispatcher.test.ts",
  /** Documents with the snapshot and the problems that they make. */
  golden: "packages/model/test/golden.test.ts",
  "analyze names it": "packages/model/src/validate/not-honoured.test.ts",
  delegate: "packages/model/src/compile/delegate.test.ts",
  retry: "packages/model/src/compile/retry.test.ts",
  matches: "packages/model/src/compile/request-match.test.ts",
  redirects: "packages/model/src/compile/rewrite.test.ts",
  statistics: "packages/core/src/filter/filters.test.ts",
  faults: "packages/core/src/filter/filters.test.ts",
  mirrors: "packages/model/src/compile/mirror.test.ts",
  validation: "packages/model/src/validate/validate-document.test.ts",
  "gateway validation": "packages/model/src/validate/gateway-http-route.test.ts",
  "grpc validation": "packages/model/src/validate/gateway-grpc-route.test.ts",
  "gateway routes": "packages/model/src/compile/gateway-route.test.ts",
  "grpc routes": "packages/model/src/compile/gateway-grpc-route.test.ts",
  "gateway references": "packages/model/src/analyze/gateway-routes.test.ts",
  "rules of a host": "packages/model/src/compile/destination-rule-index.test.ts",
  visibility: "packages/model/src/compile/virtual-service-index.test.ts",
  "traffic policy": "packages/model/src/compile/traffic-policy.test.ts",
  "connection lifetime": "packages/http/test/connection-policy.test.ts",
  connections: "packages/http/test/dispatcher.test.ts",
  "connection limits": "packages/http/test/connection-limits.test.ts",
  "HTTP/2": "packages/http/test/http2.test.ts",
  "HTTP/2 connections": "packages/http/test/http2-connections.test.ts",
  tls: "packages/http/test/tls.test.ts",
  "tls, whole": "packages/node/test/tls.test.ts",
  "mesh tls": "packages/node/test/mesh-tls.test.ts",
  "tls, compiled": "packages/model/src/compile/cluster-tls.test.ts",
  "localities, compiled": "packages/model/src/compile/locality.test.ts",
  localities: "packages/core/src/locality/locality-balancer.test.ts",
  affinity: "packages/core/src/filter/affinity.test.ts",
  sessions: "packages/core/src/filter/session.test.ts",
  /** Rings and tables compared with those of a running Envoy. */
  "hashes of Envoy": "test/istio/src/consistent-hash.test.ts",
  "warm-up": "packages/core/src/balance/warm-up.test.ts",
  services: "packages/model/src/compile/service-map.test.ts",
  names: "packages/node/src/names.test.ts",
  "names, looked up": "packages/core/src/cluster/by-name.test.ts",
  scope: "packages/model/src/compile/sidecar-scope.test.ts",
  "connections of gRPC": "test/grpc/src/client/transport.test.ts",
  "shared limits": "test/grpc/src/service/shared-limits.test.ts",
  "our kinds": "packages/model/src/compile/host-policies.test.ts",
  "our kinds, validation": "packages/model/src/validate/host-policy.test.ts",
  "limits, beside Envoy": "test/istio/src/limits.test.ts",
  limits: "packages/node/test/limits.test.ts",
  "endpoint health": "packages/node/test/endpoint-health.test.ts",
  outliers: "packages/core/src/outlier/outlier-detection.test.ts",
  "outliers, beside Envoy": "test/istio/src/outlier-detection.test.ts",
  "localities, beside Envoy": "test/istio/src/localities.test.ts",
  "retries and hedging": "packages/http/test/resilience.test.ts",
  modes: "packages/model/src/compile/mesh-mode.test.ts",
  "security, compiled": "packages/model/src/compile/security-policy.test.ts",
  "auto mTLS, compiled": "packages/model/src/compile/auto-mtls.test.ts",
  "authorizers, compiled": "packages/model/src/compile/external-authorizers.test.ts",
  "telemetry, compiled": "packages/model/src/compile/telemetry.test.ts",
  "telemetry, validation": "packages/model/src/validate/telemetry.test.ts",
  "security, validation": "packages/model/src/validate/security.test.ts",
  tokens: "packages/identity/src/jwt/token-verifier.test.ts",
  "tokens and authorizers": "packages/node/test/tokens.test.ts",
  authorizers: "packages/http/test/external-check.test.ts",
  "authorizers over gRPC": "test/grpc/src/service/services.test.ts",
} as const;

export type Proof = keyof typeof PROOFS | `golden/${string}`;

/** `differs`: honoured, in another way than Istio, or in part. `no effect`: there is nothing here that it could change. */
export type Verdict = "yes" | "differs" | "refused" | "no effect";

export interface FieldRow {
  /** A field of `fieldsByKind`, or what several begin with; the longest that fits counts. */
  readonly path: string;
  readonly proofs: readonly Proof[];
  /** @default "yes" */
  readonly verdict?: Verdict;
  /** How it differs, why it is refused, what it would be for. */
  readonly how?: string;
}

function yes(path: string, ...proofs: readonly Proof[]): FieldRow {
  return { path, proofs };
}

function without(path: string, how: string): FieldRow {
  return { path, proofs: [], verdict: "no effect", how };
}

function refused(path: string, how: string, ...proofs: readonly Proof[]): FieldRow {
  return { path, proofs, verdict: "refused", how };
}

/** What backends of Gateway API may not have. */
function refusedOfBackend(proof: Proof, ...filters: readonly string[]): readonly FieldRow[] {
  const how = "Filters of one backend may change headers only.";
  return filters.map((filter) => refused(`rules[].backendRefs[].filters[].${filter}`, how, proof));
}

const KUBE_PROXY = "What Kubernetes does with the Service outside the mesh.";

const GATEWAY_PARENTS: readonly FieldRow[] = [
  {
    ...yes("parentRefs", "gateway routes", "gateway references"),
    verdict: "differs",
    how: "Parents that are a Service or a ServiceEntry; others are named by `analyze`.",
  },
];

/** Of security policies. */
const TARGETS: readonly FieldRow[] = ["targetRef", "targetRefs"].map((path) => ({
  ...yes(path, "security, compiled", "security, validation"),
  verdict: "differs",
  how: "The document has no effect on workloads, as in Istio; `analyze` says so (IM0801).",
}));

export const FIELD_ROWS: Readonly<Record<Kind, readonly FieldRow[]>> = {
  VirtualService: [
    yes("hosts", "istio-routes", "golden/exact-and-wildcard-hosts"),
    {
      ...yes("gateways", "golden/gateways"),
      verdict: "differs",
      how: "Only `mesh` is served here: there is no gateway.",
    },
    yes("exportTo", "visibility", "golden/rules-exported"),
    yes("http[].name", "golden/matches"),
    yes("http[].match[].name", "golden/matches"),
    yes("http[].match[].uri", "istio-routes"),
    yes("http[].match[].ignoreUriCase", "istio-routes"),
    yes("http[].match[].scheme", "matches", "golden/matches"),
    yes("http[].match[].method", "matches", "istio-routes"),
    yes("http[].match[].authority", "matches", "istio-routes"),
    yes("http[].match[].headers", "istio-routes"),
    yes("http[].match[].withoutHeaders", "istio-routes"),
    yes("http[].match[].queryParams", "istio-routes"),
    yes("http[].match[].port", "golden/rules-for-others"),
    yes("http[].match[].sourceLabels", "golden/rules-for-others"),
    yes("http[].match[].sourceNamespace", "golden/rules-for-others"),
    {
      ...yes("http[].match[].statPrefix", "statistics"),
      verdict: "differs",
      how: "Calls of the rule are counted and timed under that name: `rules` of the admin endpoint's `/stats`.",
    },
    yes("http[].match[].gateways", "golden/rules-for-others", "golden/gateways"),
    yes("http[].route", "istio-routes", "golden/destination-ports"),
    yes("http[].redirect", "istio-routes", "redirects"),
    yes("http[].directResponse", "istio-routes", "redirects"),
    yes("http[].delegate", "delegate", "golden/delegate-fields"),
    yes("http[].rewrite", "istio-routes"),
    yes("http[].timeout", "istio-routes"),
    yes("http[].retries", "retry", "golden/retries"),
    yes("http[].fault", "faults", "golden/faults", "istio-routes"),
    refused("http[].fault.delay.exponentialDelay", "As by Istio."),
    refused("http[].fault.abort.http2Error", "As by Istio."),
    yes("http[].mirror", "mirrors", "golden/mirrors"),
    yes("http[].mirrors", "mirrors", "golden/mirrors"),
    yes("http[].mirrorPercent", "golden/mirrors", "mirrors"),
    yes("http[].mirrorPercentage", "golden/mirrors", "mirrors"),
    yes("http[].corsPolicy", "istio-routes", "golden/cors"),
    {
      ...yes("http[].headers", "istio-routes", "golden/headers"),
      verdict: "differs",
      how: "Values understand `%REQ(…)%`, `%PROTOCOL%` and `%%`; Envoy's other commands are sent as written, and named by `analyze` (IM0301).",
    },
  ],
  DestinationRule: [
    yes("host", "istio-routes", "golden/wildcard-rules"),
    yes("subsets[].name", "golden/subset-policy"),
    yes("subsets[].labels", "golden/subset-policy"),
    yes("exportTo", "golden/rules-exported", "rules of a host"),
    yes("workloadSelector", "golden/rules-apart", "rules of a host"),
    yes("trafficPolicy.portLevelSettings[].port", "golden/port-level-policy"),
    {
      ...yes("trafficPolicy.loadBalancer.simple", "golden/subset-policy"),
      how: "The annotation `inmesh.dev/load-balancer: PEAK_EWMA` chooses by latency.",
    },
    {
      ...yes(
        "trafficPolicy.loadBalancer.consistentHash",
        "traffic policy",
        "golden/hash-keys",
        "affinity",
        "hashes of Envoy",
      ),
      verdict: "differs",
      how: "Same hashes, rings and tables as Envoy's. When an endpoint is left out, only its own requests move; Envoy builds anew of the healthy ones. useSourceIp is the address of this process.",
    },
    {
      ...yes(
        "trafficPolicy.loadBalancer.localityLbSetting",
        "localities, compiled",
        "golden/localities",
        "localities",
        "localities, beside Envoy",
      ),
      how: "Shares, ranks, their overflow and panics by Envoy's arithmetic, as measured.",
    },
    {
      ...yes(
        "trafficPolicy.loadBalancer.zoneAwareLbSetting",
        "localities, compiled",
        "golden/localities",
        "localities",
      ),
      verdict: "differs",
      how: "Subzones of a zone are one. Where nobody knows the endpoints of the caller's own service, its peers are taken to be spread evenly; Envoy then routes without zones.",
    },
    yes("trafficPolicy.loadBalancer.warmup", "traffic policy", "warm-up"),
    yes("trafficPolicy.loadBalancer.warmupDurationSecs", "traffic policy"),
    yes("trafficPolicy.connectionPool.tcp.connectTimeout", "traffic policy", "golden/port-level-policy"),
    yes("trafficPolicy.connectionPool.tcp.idleTimeout", "traffic policy"),
    {
      ...yes("trafficPolicy.connectionPool.tcp.tcpKeepalive", "connection lifetime"),
      verdict: "differs",
      how: "The time before the first probe; Node has its own number of probes and interval.",
    },
    yes("trafficPolicy.connectionPool.tcp.maxConnectionDuration", "connection lifetime"),
    yes("trafficPolicy.connectionPool.http.idleTimeout", "traffic policy"),
    yes("trafficPolicy.connectionPool.http.http2MaxRequests", "limits, beside Envoy", "limits"),
    yes("trafficPolicy.connectionPool.http.maxRetries", "limits, beside Envoy", "limits"),
    {
      ...yes("trafficPolicy.connectionPool.tcp.maxConnections", "connection limits", "connections of gRPC"),
      verdict: "differs",
      how: "As Envoy's, over all endpoints of a service, port and subset, of which each may have one. Connections that an http.Agent keeps (`mesh.agent()`) are not counted.",
    },
    {
      ...yes("trafficPolicy.connectionPool.http.http1MaxPendingRequests", "connection limits", "connections of gRPC"),
      verdict: "differs",
      how: "Requests that wait because no further connection may be opened. Envoy counts those, too, whose connection is just being opened, and refuses some of a burst that comes before any is there.",
    },
    yes("trafficPolicy.connectionPool.http.maxConcurrentStreams", "HTTP/2 connections"),
    yes("trafficPolicy.connectionPool.http.h2UpgradePolicy", "HTTP/2", "HTTP/2 connections", "traffic policy"),
    {
      ...yes("trafficPolicy.connectionPool.http.useClientProtocol", "traffic policy"),
      verdict: "differs",
      how: "The calls of HTTP clients in Node come as HTTP/1.1, and so they go out.",
    },
    yes("trafficPolicy.connectionPool.http.http2KeepAlive", "HTTP/2 connections", "traffic policy"),
    yes("trafficPolicy.retryBudget", "limits, beside Envoy", "limits"),
    yes("trafficPolicy.connectionPool.http.maxRequestsPerConnection", "traffic policy", "connections"),
    {
      ...yes("trafficPolicy.outlierDetection", "outliers, beside Envoy", "outliers", "endpoint health"),
      verdict: "differs",
      how: "As measured with Envoy; besides, attempts that this process itself held up (its event loop stood still, its own limits, lookups) count for nobody, and an endpoint that refuses connections is passed over for 0.5 to 10 s while another is left.",
    },
    {
      ...yes("trafficPolicy.outlierDetection.maxEjectionPercent", "outliers, beside Envoy"),
      how: "Rounded down, as measured: with the default of 10 % and fewer than 10 endpoints nobody is ejected.",
    },
    without("trafficPolicy.outlierDetection.consecutiveErrors", "Deprecated, and ignored as by Istio, with a warning."),
    yes("trafficPolicy.tls", "tls", "tls, compiled"),
    {
      ...yes("trafficPolicy.tls.mode", "tls, compiled", "tls", "mesh tls"),
      how: "ISTIO_MUTUAL shows the identity of the process; where it has none, calls fail (TLS_UNAVAILABLE).",
    },
    yes("trafficPolicy.tls.clientCertificate", "tls"),
    {
      ...yes("trafficPolicy.tls.privateKey", "tls"),
      how: "A key that others than its owner may read is refused, as by ssh.",
    },
  ],
  ServiceEntry: [
    yes("hosts", "services", "names"),
    yes("addresses", "golden/services"),
    yes("ports", "services", "names", "tls, whole"),
    yes("location", "services"),
    yes("resolution", "names", "services"),
    yes("endpoints", "services", "golden/services"),
    yes("endpoints[].serviceAccount", "auto mTLS, compiled"),
    yes("workloadSelector", "services"),
    yes("exportTo", "services", "visibility"),
    yes("subjectAltNames", "tls", "tls, whole"),
  ],
  WorkloadEntry: [
    yes("address", "golden/workload-entries"),
    yes("ports", "golden/workload-entries"),
    yes("labels", "golden/workload-entries"),
    yes("locality", "golden/workload-entries"),
    yes("weight", "golden/workload-entries"),
    yes("serviceAccount", "auto mTLS, compiled"),
  ],
  WorkloadGroup: [],
  Sidecar: [
    yes("workloadSelector", "scope"),
    yes("egress[].hosts", "scope"),
    yes("egress[].port.number", "golden/sidecar-ports", "scope"),
    without("egress[].port.name", "A listener is known by its number."),
    without("egress[].port.targetPort", "As in Istio, which takes it of ingress ports only."),
    yes("outboundTrafficPolicy.mode", "scope"),
  ],
  MeshConfig: [
    {
      ...yes("outboundTrafficPolicy.mode", "scope"),
      verdict: "differs",
      how: "REGISTRY_ONLY and ALLOW_ANY; ALLOW_ANY_DYNAMIC_DNS means ALLOW_ANY, and `analyze` says so.",
    },
    yes("rootNamespace", "scope", "validation"),
    yes("trustDomain", "validation"),
    yes("connectTimeout", "traffic policy"),
    yes("dnsRefreshRate", "names, looked up"),
    yes("defaultServiceExportTo", "golden/mesh-visibility"),
    yes("defaultVirtualServiceExportTo", "golden/mesh-visibility", "visibility"),
    yes("defaultDestinationRuleExportTo", "golden/mesh-visibility"),
    yes("defaultHttpRetryPolicy", "golden/retries-of-the-mesh", "localities"),
    yes("localityLbSetting", "localities, compiled", "localities"),
    yes("zoneAwareLbSetting", "localities, compiled", "localities"),
    yes("defaultTrafficPolicy", "golden/mesh-defaults", "traffic policy"),
    yes("h2UpgradePolicy", "traffic policy", "HTTP/2"),
    yes("enableAutoMtls", "auto mTLS, compiled"),
    yes("trustDomainAliases", "security, compiled", "auto mTLS, compiled"),
    yes("pathNormalization", "security, compiled"),
    yes("meshMTLS.minProtocolVersion", "security, compiled"),
    yes("defaultConfig.gatewayTopology.numTrustedProxies", "security, compiled"),
    ...["gatewayTopology.forwardClientCertDetails", "proxyHeaders.forwardedClientCert"].map(
      (path): FieldRow => ({
        ...yes(`defaultConfig.${path}`, "security, compiled"),
        verdict: "differs",
        how: "SANITIZE_SET where nothing is written: what a caller says of who called it is not passed on.",
      }),
    ),
    yes("extensionProviders[].name", "authorizers, compiled"),
    yes("extensionProviders[].envoyExtAuthzHttp", "authorizers, compiled", "authorizers"),
    yes("extensionProviders[].envoyExtAuthzGrpc", "authorizers, compiled", "authorizers over gRPC"),
    yes("extensionProviders[].envoyFileAccessLog", "telemetry, compiled"),
    yes("extensionProviders[].envoyOtelAls.logFormat", "telemetry, compiled"),
    ...["defaultProviders", "accessLogFile", "accessLogFormat", "accessLogEncoding", "enableTracing"].map((path) =>
      yes(path, "telemetry, compiled"),
    ),
    ...["sampling", "customTags", "enableIstioTags"].map((path) =>
      yes(`defaultConfig.tracing.${path}`, "telemetry, compiled"),
    ),
  ],
  Service: [
    yes("ports[].name", "services"),
    yes("ports[].port", "services"),
    yes("ports[].targetPort", "services"),
    yes("ports[].protocol", "services"),
    yes("ports[].appProtocol", "golden/services"),
    yes("selector", "services"),
    yes("clusterIP", "services"),
    yes("clusterIPs", "golden/services"),
    yes("type", "names"),
    yes("externalName", "names"),
    yes("trafficDistribution", "localities, compiled"),
    ...[
      "ports[].nodePort",
      "externalIPs",
      "sessionAffinityConfig",
      "publishNotReadyAddresses",
      "loadBalancerIP",
      "loadBalancerSourceRanges",
      "loadBalancerClass",
      "allocateLoadBalancerNodePorts",
      "externalTrafficPolicy",
      "healthCheckNodePort",
      "ipFamilies",
      "ipFamilyPolicy",
    ].map((path) => without(path, KUBE_PROXY)),
  ],
  Namespace: [without("finalizers", "A Namespace is known by name.")],
  HTTPRoute: [
    ...GATEWAY_PARENTS,
    yes("rules[].name", "gateway routes"),
    yes("rules[].matches", "gateway-routes"),
    yes("rules[].filters", "gateway-routes", "golden/gateway-filters", "gateway routes"),
    refused("rules[].filters[].extensionRef", "There are no extensions.", "gateway validation"),
    refused("rules[].filters[].externalAuth", "There is no external authorization.", "gateway validation"),
    yes("rules[].backendRefs", "gateway-routes", "gateway routes"),
    ...refusedOfBackend(
      "gateway validation",
      "extensionRef",
      "externalAuth",
      "requestMirror",
      "requestRedirect",
      "urlRewrite",
      "cors",
    ),
    yes("rules[].timeouts", "gateway-routes", "gateway routes"),
    yes("rules[].retry", "gateway-routes", "gateway routes"),
    yes("rules[].sessionPersistence", "gateway routes", "sessions"),
  ],
  GRPCRoute: [
    ...GATEWAY_PARENTS,
    yes("rules[].name", "grpc routes"),
    yes("rules[].matches", "grpc routes"),
    yes("rules[].filters", "golden/gateway-filters", "grpc routes"),
    refused("rules[].filters[].extensionRef", "There are no extensions.", "grpc validation"),
    yes("rules[].backendRefs", "grpc routes"),
    ...refusedOfBackend("grpc validation", "extensionRef", "requestMirror"),
    yes("rules[].sessionPersistence", "gateway routes", "sessions"),
  ],
  MeshMode: [yes("mode", "modes"), yes("selector", "modes")],
  CircuitBreaker: [
    "host",
    "subset",
    "scope",
    "window",
    "minRequests",
    "failurePercent",
    "slowCall",
    "openFor",
    "probes",
    "fallback",
  ].map((path) => yes(path, "limits", "our kinds", "our kinds, validation")),
  Resilience: [
    ...["host", "loadBalancer", "subsetting", "server"].map((path) => yes(path, "our kinds", "our kinds, validation")),
    {
      ...yes("healthCheck", "endpoint health", "our kinds"),
      how: "`http` over HTTP/1.1: of a service that speaks HTTP/2 check its `grpc` or `tcp`, or another `port`.",
    },
    yes("retry", "retries and hedging", "our kinds, validation"),
    yes("hedging", "retries and hedging", "our kinds, validation"),
  ],
  RateLimit: [
    yes("host", "our kinds"),
    yes("rules", "our kinds", "our kinds, validation"),
    {
      ...yes("service", "our kinds", "our kinds, validation", "shared limits"),
      how: "`dynamic_metadata` and `quota` of its answers are not looked at.",
    },
  ],
  PeerAuthentication: ["selector", "mtls", "portLevelMtls"].map((path) => yes(path, "security, compiled")),
  RequestAuthentication: [
    yes("selector", "security, compiled"),
    ...TARGETS,
    {
      ...yes("jwtRules", "security, compiled", "security, validation", "tokens", "tokens and authorizers"),
      how: "Stricter than Envoy where tokens are taken out of cookies, have `crit` or stand at one place twice: [tokens](request-authentication.md).",
    },
  ],
  Telemetry: [
    yes("selector", "telemetry, compiled"),
    ...["targetRef", "targetRefs"].map(
      (path): FieldRow => ({
        ...yes(path, "telemetry, compiled"),
        verdict: "differs",
        how: "The document has no effect on workloads; `analyze` says so (IM0904).",
      }),
    ),
    {
      ...yes("tracing", "telemetry, compiled", "telemetry, validation"),
      how: "Without a provider, too, where Istio would trace nothing: spans go where the process's OTEL settings say.",
    },
    yes("metrics", "telemetry, compiled", "telemetry, validation"),
    yes("accessLogging", "telemetry, compiled", "telemetry, validation"),
  ],
  AuthorizationPolicy: [
    ...TARGETS,
    ...["selector", "rules", "action", "provider"].map((path) => yes(path, "security, validation")),
  ],
};
