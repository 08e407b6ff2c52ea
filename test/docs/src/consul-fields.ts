/**
 * What each field of Consul's config entries becomes, and the golden case that shows it: the second part of the support table.
 * A test looks whether the case has the field, and whether every field that the reader asks for has a row.
 */

export interface ConsulField {
  /** As Consul's API spells it. */
  readonly path: string;
  readonly verdict: "yes" | "differs" | "no" | "no effect";
  readonly how: string;
  /** Consul that first has it, where that is newer than 1.8; none of 1.14 and later was run. */
  readonly since?: string;
  /** Of `packages/consul/test/golden`. */
  readonly golden: string;
}

type Section = readonly [kind: string, what: string, fields: readonly ConsulField[]];

const field = (
  path: string,
  verdict: ConsulField["verdict"],
  how: string,
  golden: string,
  since?: string,
): ConsulField => ({ path, verdict, how, golden, ...(since !== undefined && { since }) });

const ROUTE_MATCH = "Routes[].Match.HTTP";
const ROUTE_TO = "Routes[].Destination";
const NO_PROXY = "No proxy stands between a caller and the service.";

export const CONSUL_SECTIONS: readonly Section[] = [
  [
    "service-router",
    "The rules of a VirtualService. The last one takes what no route takes.",
    [
      field(`${ROUTE_MATCH}.PathExact`, "yes", "`uri.exact`", "router-matches"),
      field(`${ROUTE_MATCH}.PathPrefix`, "yes", "`uri.prefix`", "router-matches"),
      field(`${ROUTE_MATCH}.PathRegex`, "yes", "`uri.regex`", "router-matches"),
      field(`${ROUTE_MATCH}.CaseInsensitive`, "yes", "`ignoreUriCase`", "router-matches", "1.16"),
      field(
        `${ROUTE_MATCH}.Header[]`,
        "yes",
        "`headers`; `Suffix` and `Contains` are expressions. `Invert`: the header is there and differs, as in Consul's Envoy.",
        "router-matches",
      ),
      field(`${ROUTE_MATCH}.QueryParam[]`, "yes", "`queryParams`", "router-matches"),
      field(`${ROUTE_MATCH}.Methods`, "yes", "`method`", "router-matches"),
      field(
        `${ROUTE_TO}.Service`,
        "yes",
        "`route[].destination.host`; splitters and resolvers of that service are followed.",
        "router-matches",
      ),
      field(`${ROUTE_TO}.ServiceSubset`, "yes", "`route[].destination.subset`", "router-destinations"),
      field(`${ROUTE_TO}.PrefixRewrite`, "yes", "`rewrite.uri`", "router-destinations"),
      field(
        `${ROUTE_TO}.RequestTimeout`,
        "yes",
        "`timeout`. Without one there is none here; Envoy has 15 s.",
        "router-destinations",
      ),
      field(
        `${ROUTE_TO}.IdleTimeout`,
        "no",
        "Use RequestTimeout, or idleTimeout of a DestinationRule.",
        "router-destinations",
        "1.14",
      ),
      field(
        `${ROUTE_TO}.NumRetries`,
        "yes",
        "`retries.attempts`; 1 where only conditions are written, and 0 where only the number is.",
        "router-destinations",
      ),
      field(`${ROUTE_TO}.RetryOnConnectFailure`, "yes", "`retries.retryOn`", "router-destinations"),
      field(
        `${ROUTE_TO}.RetryOnStatusCodes`,
        "differs",
        "`retries.retryOn`; codes that HTTP has not registered are left out.",
        "router-destinations",
      ),
      field(`${ROUTE_TO}.RetryOn`, "yes", "`retries.retryOn`", "router-destinations", "1.14"),
      field(`${ROUTE_TO}.RequestHeaders`, "yes", "`headers.request`", "router-destinations", "1.10"),
      field(`${ROUTE_TO}.ResponseHeaders`, "yes", "`headers.response`", "router-destinations", "1.10"),
    ],
  ],
  [
    "service-splitter",
    "Weighted destinations of the VirtualService's last rule, and of every route that leads to the service.",
    [
      field(
        "Splits[].Weight",
        "yes",
        "`route[].weight`, in hundredths of a percent where there are fractions; those of splitters within splitters multiply.",
        "splitter",
      ),
      field("Splits[].Service", "yes", "`route[].destination.host`", "splitter"),
      field("Splits[].ServiceSubset", "yes", "`route[].destination.subset`", "splitter"),
      field(
        "Splits[].RequestHeaders",
        "yes",
        "`route[].headers.request`; of splitters within splitters the inner one's values win.",
        "splitter",
        "1.10",
      ),
      field("Splits[].ResponseHeaders", "yes", "`route[].headers.response`", "splitter", "1.10"),
    ],
  ],
  [
    "service-resolver",
    "A DestinationRule with subsets, and the service's VirtualService where calls do not go to all of its instances.",
    [
      field("DefaultSubset", "yes", "Calls of the service go to that subset.", "resolver-subsets"),
      field(
        "Subsets[].Filter",
        "yes",
        "Labels where it only compares values of `Service.Meta`; else instances are judged when they are read, and labelled `inmesh.dev/consul-…`.",
        "resolver-subsets",
      ),
      field("Subsets[].OnlyPassing", "yes", "", "resolver-subsets"),
      field("Redirect.Service", "yes", "Followed; the host of the destination.", "resolver-redirect"),
      field("Redirect.ServiceSubset", "yes", "", "resolver-redirect"),
      field(
        "Redirect.Datacenter",
        "yes",
        "Instances of that datacenter are a subset of the service.",
        "resolver-redirect",
      ),
      field(
        "Redirect.Peer",
        "no",
        "The entry is left out: other clusters are not known here.",
        "resolver-redirect",
        "1.14",
      ),
      field(
        "Failover[].Service",
        "yes",
        "The other service's instances stand behind this one, too, by `failoverPriority`, with outlierDetection.",
        "resolver-failover",
      ),
      field("Failover[].ServiceSubset", "yes", "", "resolver-failover"),
      field(
        "Failover[].Datacenters",
        "differs",
        "In order. A share moves as soon as fewer than 71 % of the instances are well; in Consul all of it, when none is.",
        "resolver-failover",
      ),
      field(
        "Failover[].Targets",
        "differs",
        "As above; those of other clusters are left out.",
        "resolver-failover",
        "1.14",
      ),
      field("Failover[].Policy", "no", "The order written.", "resolver-failover", "1.16"),
      field(
        "PrioritizeByLocality",
        "yes",
        "`localityLbSetting.enabled` with outlierDetection",
        "resolver-failover",
        "1.17",
      ),
      field(
        "ConnectTimeout",
        "yes",
        "`connectionPool.tcp.connectTimeout`; 5 s where it is not written, as in Consul.",
        "resolver-subsets",
      ),
      field(
        "RequestTimeout",
        "yes",
        "`timeout`, where neither router nor splitter stands before it.",
        "resolver-subsets",
        "1.13",
      ),
      field(
        "LoadBalancer.Policy",
        "yes",
        "`loadBalancer`. Without one: LEAST_REQUEST; Consul's Envoy takes turns.",
        "resolver-load-balancers",
        "1.9",
      ),
      field(
        "LoadBalancer.LeastRequestConfig.ChoiceCount",
        "no",
        "Two endpoints are compared.",
        "resolver-load-balancers",
        "1.9",
      ),
      field(
        "LoadBalancer.RingHashConfig.MinimumRingSize",
        "yes",
        "`ringHash.minimumRingSize`",
        "resolver-load-balancers",
        "1.9",
      ),
      field(
        "LoadBalancer.RingHashConfig.MaximumRingSize",
        "no",
        "Rings grow as far as they need to.",
        "resolver-load-balancers",
        "1.9",
      ),
      field(
        "LoadBalancer.HashPolicies",
        "differs",
        "The first of them is `consistentHash`; without any endpoints are drawn, as in Envoy.",
        "resolver-load-balancers",
        "1.9",
      ),
    ],
  ],
  [
    "service-defaults",
    "",
    [
      field(
        "Protocol",
        "yes",
        "`http2` and `grpc`: HTTP/2 to the endpoints. `tcp`: no routes, as in Consul. Routers and splitters need none here.",
        "service-defaults",
      ),
      field(
        "MaxInboundConnections",
        "differs",
        "So many requests at a time: `server.maxConcurrency` of a Resilience.",
        "service-defaults",
        "1.13",
      ),
      field("Destination", "yes", "A ServiceEntry.", "service-defaults", "1.13"),
      field(
        "UpstreamConfig.Defaults",
        "yes",
        "DestinationRules in the caller's namespace for processes labelled `app: NAME`.",
        "upstreams",
        "1.9",
      ),
      field("UpstreamConfig.Overrides[]", "yes", "Over the defaults, field by field.", "upstreams", "1.9"),
      field("UpstreamConfig.Overrides[].ConnectTimeoutMs", "yes", "`connectTimeout`", "upstreams", "1.9"),
      field(
        "UpstreamConfig.Overrides[].Limits",
        "yes",
        "`maxConnections`, `http1MaxPendingRequests`, `http2MaxRequests`; 0 is no limit.",
        "upstreams",
        "1.9",
      ),
      field(
        "UpstreamConfig.Overrides[].PassiveHealthCheck",
        "differs",
        "`outlierDetection`; EnforcingConsecutive5xx of 0 switches it off, other shares are 100 %. Without it nobody is left out; Consul's Envoy has its own defaults.",
        "upstreams",
        "1.9",
      ),
      field("UpstreamConfig.Overrides[].Protocol", "no", "The upstream's own entry decides.", "upstreams", "1.9"),
      field(
        "LocalRequestTimeoutMs",
        "no",
        "Give its callers RequestTimeout in a service-router.",
        "service-defaults",
        "1.13",
      ),
      field("LocalConnectTimeoutMs", "no effect", NO_PROXY, "service-defaults", "1.9"),
      field("ExternalSNI", "no", "Write `tls.sni` into a DestinationRule.", "service-defaults"),
      field("RateLimits", "no", "Write a RateLimit.", "service-defaults", "1.15"),
      field("EnvoyExtensions", "no", "There is no Envoy.", "service-defaults", "1.15"),
      field("MeshGateway", "no effect", NO_PROXY, "service-defaults"),
      field("TransparentProxy", "no effect", NO_PROXY, "service-defaults", "1.10"),
      field("Expose", "no effect", NO_PROXY, "service-defaults"),
    ],
  ],
  [
    "proxy-defaults",
    "",
    [
      field("Config.protocol", "yes", "Of services that say none; other keys are for Envoy.", "mesh-defaults"),
      field("MeshGateway", "no effect", NO_PROXY, "mesh-defaults"),
      field("Expose", "no effect", NO_PROXY, "mesh-defaults"),
      field("AccessLogs", "no effect", NO_PROXY, "mesh-defaults", "1.15"),
    ],
  ],
  [
    "mesh",
    "",
    [
      field(
        "TransparentProxy.MeshDestinationsOnly",
        "no",
        "Write `outboundTrafficPolicy: {mode: REGISTRY_ONLY}` into MeshConfig.",
        "mesh-defaults",
        "1.10",
      ),
      field("TLS", "no effect", "The mesh's own rules hold.", "mesh-defaults", "1.12"),
      field("HTTP.SanitizeXForwardedClientCert", "no effect", "The header is never believed.", "mesh-defaults", "1.12"),
    ],
  ],
  [
    "service-intentions",
    "AuthorizationPolicies, one for each destination, which its own processes enforce. Servers before 1.9 have a list of intentions, which is read, too.",
    [
      field(
        "Sources[].Name",
        "yes",
        "A principal `cluster.local/ns/NAMESPACE/sa/SERVICE`; exact names before `*`, the destination's before those for all.",
        "intentions",
        "1.9",
      ),
      field("Sources[].Action", "yes", "", "intentions", "1.9"),
      field(
        "Sources[].Permissions[]",
        "differs",
        "In order, and the default where none holds. By PathRegex Istio cannot: an allowance lets nobody in, a refusal refuses every path. IM0201 says so.",
        "intentions",
        "1.9",
      ),
      field("Sources[].Peer", "yes", "Never somebody of this mesh.", "intentions", "1.13"),
    ],
  ],
];

export function consulTable(): string {
  const sections = CONSUL_SECTIONS.map(([kind, what, fields]) => {
    const lines = fields.map(({ path, verdict, how, since, golden }) => {
      const newer = since === undefined ? "" : `Consul ≥ ${since}`;
      const proof = `[${golden}](../../packages/consul/test/golden/${golden}.yaml)`;
      return `| \`${path}\` | ${verdict} | ${how} | ${newer} | ${proof} |`;
    });
    const table = `| field | here | | needs | proof |\n|---|---|---|---|---|\n${lines.join("\n")}\n`;
    return `### ${kind}\n\n${what === "" ? "" : `${what}\n\n`}${table}`;
  });
  return `## Config entries of Consul

A mesh on Consul reads them beside its own resources and translates them: [coming from Consul Connect](../guides/from-consul-connect.md).
A resource of the mesh for the same host wins (IM0731). What has **no** here is named by \`inmesh analyze\` (IM0201). Versions of
Consul are those of its release notes; the discovery chains of 1.8 and 1.13 were [compared](../../test/consul/src/entries/discovery-chain.test.ts).

${sections.join("\n")}`;
}
