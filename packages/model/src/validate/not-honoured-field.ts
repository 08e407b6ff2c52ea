/**
 * Fields that this version reads but does not act on. Whoever makes one work deletes its row.
 *
 * `path` is below the spec: `[]` is every item of a list. `consequence` completes "parsed but not honoured by this
 * version: <field>.", and says what happens instead.
 */

import type { Kind } from "../resource.js";

export interface NotHonouredField {
  readonly kind: Kind;
  readonly path: string;
  readonly consequence: string;
  /** Values that ask for nothing this version does not do anyway. */
  readonly unless?: (value: unknown) => boolean;
}

/** libuv sets them on every socket that is to be kept alive. */
const NODES_PROBES = "Node has its own: 10 probes, one each second. The time before the first is policy's.";

/** What a traffic policy may hold, for all ports and for a single one. */
const POLICY: readonly Omit<NotHonouredField, "kind">[] = [
  { path: "connectionPool.tcp.tcpKeepalive.probes", consequence: NODES_PROBES },
  { path: "connectionPool.tcp.tcpKeepalive.interval", consequence: NODES_PROBES },
  {
    path: "tls.credentialName",
    consequence: "There is no store of secrets: calls over TLS fail (TLS_UNAVAILABLE). Name files instead.",
    unless: (value) => value === "",
  },
];

const ONE_NETWORK = "All networks are one, but for subsets that name one by its label.";

/** Only for all ports. */
const SERVICE_POLICY: readonly Omit<NotHonouredField, "kind">[] = [
  { path: "tunnel", consequence: "Connections go straight to the endpoint." },
  { path: "proxyProtocol", consequence: "No PROXY header is sent." },
];

const DESTINATION_RULE = ["trafficPolicy", "subsets[].trafficPolicy"].flatMap((place) => [
  ...[...POLICY, ...SERVICE_POLICY].map((field) => below(place, field)),
  ...POLICY.map((field) => below(`${place}.portLevelSettings[]`, field)),
]);

/** MeshConfig has fields for proxies by the dozen; these are the ones honoured, and of some of them the parts named here. */
const MESH_CONFIG_HONOURED: ReadonlySet<string> = new Set([
  "outboundTrafficPolicy",
  "rootNamespace",
  "trustDomain",
  "connectTimeout",
  "tcpKeepalive",
  "dnsRefreshRate",
  "defaultServiceExportTo",
  "defaultVirtualServiceExportTo",
  "defaultDestinationRuleExportTo",
  "defaultHttpRetryPolicy",
  "defaultTrafficPolicy",
  "h2UpgradePolicy",
  "localityLbSetting",
  "zoneAwareLbSetting",
  "enableAutoMtls",
  "trustDomainAliases",
  "pathNormalization",
  "meshMTLS",
  "defaultConfig.gatewayTopology.numTrustedProxies",
  "defaultConfig.gatewayTopology.forwardClientCertDetails",
  "defaultConfig.proxyHeaders.forwardedClientCert",
  "extensionProviders[].name",
  "extensionProviders[].envoyExtAuthzHttp",
  "extensionProviders[].envoyExtAuthzGrpc",
  "extensionProviders[].prometheus",
  "extensionProviders[].envoyFileAccessLog",
  "extensionProviders[].envoyOtelAls.logFormat",
  "defaultProviders",
  "accessLogFile",
  "accessLogFormat",
  "accessLogEncoding",
  "enableTracing",
  "defaultConfig.tracing.sampling",
  "defaultConfig.tracing.customTags",
  "defaultConfig.tracing.enableIstioTags",
]);

/** Of Gateway API. */
const GATEWAY_ROUTE: readonly Omit<NotHonouredField, "kind">[] = [
  { path: "hostnames", consequence: "The host is the parent's own, as Gateway API has it for Services." },
  {
    path: "useDefaultGateways",
    consequence: "Only parents that are Services count.",
    unless: (value) => value === "None",
  },
];

export const NOT_HONOURED_FIELDS: readonly NotHonouredField[] = [
  ...rows("VirtualService", [
    { path: "tls", consequence: "TLS connections go to their host." },
    { path: "tcp", consequence: "TCP connections go to their host." },
  ]),
  ...rows("DestinationRule", DESTINATION_RULE),
  ...rows("ServiceEntry", [{ path: "endpoints[].network", consequence: ONE_NETWORK }]),
  ...rows("WorkloadEntry", [{ path: "network", consequence: ONE_NETWORK }]),
  ...rows("WorkloadGroup", [
    {
      path: "metadata",
      consequence: "Nothing is registered from it; its labels say which Services the account is for.",
    },
    {
      path: "template",
      consequence: "Nothing is registered from it; its serviceAccount may serve the Services that select its labels.",
    },
    { path: "probe", consequence: "Nobody is probed." },
  ]),
  ...rows("Sidecar", [
    { path: "ingress", consequence: "Servers listen where the application opens them." },
    { path: "inboundConnectionPool", consequence: "Servers are not limited." },
    {
      path: "egress[].port.protocol",
      consequence: "There is no proxy port: the hosts are visible on every port that no other listener has.",
      unless: (value) => String(value).toUpperCase() !== "HTTP_PROXY",
    },
    { path: "egress[].bind", consequence: "A call is known by its host and port, whatever address it goes to." },
    {
      path: "egress[].captureMode",
      consequence: "The calls of a process are the mesh's.",
      unless: (value) => value !== "NONE",
    },
    { path: "outboundTrafficPolicy.egressProxy", consequence: "Unknown hosts are called directly." },
  ]),
  ...rows("MeshConfig", [
    {
      path: "outboundTrafficPolicy.mode",
      consequence: "It means ALLOW_ANY.",
      unless: (value) => value !== "ALLOW_ANY_DYNAMIC_DNS",
    },
    { path: "tcpKeepalive.probes", consequence: NODES_PROBES },
    { path: "tcpKeepalive.interval", consequence: NODES_PROBES },
    { path: "serviceEntryVisibility", consequence: "A ServiceEntry is seen as its exportTo says." },
    { path: "discoverySelectors", consequence: "The documents of every namespace count." },
    { path: "meshMTLS.cipherSuites", consequence: "Those of Node are used." },
    { path: "meshMTLS.ecdhCurves", consequence: "Those of Node are used, as Istio, too, leaves this one aside." },
    {
      path: "extensionProviders[].envoyExtAuthzGrpc.clearRouteCache",
      consequence: "Routes are chosen by who calls, before anybody is asked.",
      unless: (value) => value === false,
    },
    {
      path: "extensionProviders[].envoyExtAuthzHttp.clearRouteCache",
      consequence: "Routes are chosen by who calls, before anybody is asked.",
      unless: (value) => value === false,
    },
    {
      path: "extensionProviders[].envoyExtAuthzHttp.includeRequestBodyInCheck.packAsBytes",
      consequence: "An authorizer that is asked over HTTP gets the body as it is.",
      unless: (value) => value === false,
    },
    {
      path: "extensionProviders[].opentelemetry",
      consequence:
        "Spans go where OTEL_EXPORTER_OTLP_ENDPOINT of the process says: whoever names the provider has them made.",
    },
    {
      path: "extensionProviders[].envoyFileAccessLog.omitEmptyValues",
      consequence: "JSON leaves out what is empty, and text has a dash.",
      unless: (value) => value === false,
    },
    { path: "inboundTrafficPolicy", consequence: "Servers listen where the application opens them." },
    { path: "defaultInboundHttpRetryPolicy", consequence: "Nothing stands before a server that could retry." },
    { path: "outboundTrafficPolicy.tls", consequence: "Unknown hosts are called as the application asks." },
    ...POLICY.filter(({ path }) => path.startsWith("connectionPool")).map((field) =>
      below("defaultTrafficPolicy", field),
    ),
  ]),
  ...rows("Telemetry", [
    {
      path: "tracing[].useRequestIdForTraceSampling",
      consequence: "A trace is sampled by its own id.",
      unless: (value) => value === false, // then a sidecar goes by chance, too
    },
    {
      path: "metrics[].providers",
      consequence: "Metrics are there for Prometheus, and for the process's own OpenTelemetry, whoever is named.",
      unless: (value) => Array.isArray(value) && value.every((each) => each?.name === "prometheus"),
    },
  ]),
  ...rows("HTTPRoute", GATEWAY_ROUTE),
  ...rows("GRPCRoute", GATEWAY_ROUTE),
  ...rows("Service", [
    { path: "sessionAffinity", consequence: "Requests are balanced by load.", unless: (value) => value !== "ClientIP" },
    {
      path: "internalTrafficPolicy",
      consequence: "Endpoints on other machines are used too.",
      unless: (value) => value !== "Local",
    },
  ]),
];

const MESH_CONFIG_KNOWN: readonly string[] = [
  ...MESH_CONFIG_HONOURED,
  ...NOT_HONOURED_FIELDS.filter(({ kind }) => kind === "MeshConfig").map(({ path }) => path),
];

/**
 * Whether a field of the whole mesh works, or has rows above that say what does not; `partly`: of its parts some do. Any
 * other is for proxies only.
 */
export function isKnownMeshField(path: string): boolean | "partly" {
  if (MESH_CONFIG_KNOWN.includes(path)) return true;
  return MESH_CONFIG_KNOWN.some((known) => known.startsWith(`${path}.`) || known.startsWith(`${path}[]`)) && "partly";
}

function below(place: string, field: Omit<NotHonouredField, "kind">): Omit<NotHonouredField, "kind"> {
  return { ...field, path: `${place}.${field.path}` };
}

function rows(kind: Kind, fields: readonly Omit<NotHonouredField, "kind">[]): NotHonouredField[] {
  return fields.map((field) => ({ kind, ...field }));
}
