/** Listener: which route table speaks about which port, and what the process's own ports ask. */

import { isDeepStrictEqual } from "node:util";
import { firstText } from "../client/first-text.js";
import { knownText } from "../client/known-text.js";
import { NONE } from "../client/none.js";
import type { ResourceType, SentBytes } from "../client/watch.js";
import { type InboundPort, inboundPorts } from "./inbound.js";
import { Findings, known } from "./refusal.js";
import { type RouteConfiguration, readRouteConfiguration } from "./route-configuration.js";
import { type AnyMessage, anyOf, anyType, decodeEnvoy, durationMs, type Fields } from "./schema.js";
import { type AccessLog, type ListenerTelemetry, listenerTelemetry, type Tracing } from "./telemetry.js";
import { HTTP_MANAGER, LISTENER, ROUTER } from "./urls.js";
import { wireParts } from "./wire-parts.js";

const TCP_PROXY = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";

export type NamedAny = Fields<{
  name: string;
  typed_config: AnyMessage;
  is_optional: boolean;
  disabled: boolean;
  config_discovery: object;
}>;
export type FilterChainMatch = Fields<{
  destination_port: number;
  prefix_ranges: readonly object[];
  server_names: readonly string[];
  transport_protocol: string;
  application_protocols: readonly string[];
  source_type: string;
}>;
export type FilterChain = Fields<{
  name: string;
  filter_chain_match: FilterChainMatch;
  filters: readonly NamedAny[];
  transport_socket: Fields<{ name: string; typed_config: AnyMessage }>;
}>;

export type ListenerSpec = Fields<{
  name: string;
  address: Fields<{ socket_address: Fields<{ address: string; port_value: number }> }>;
  filter_chains: readonly FilterChain[];
  default_filter_chain: FilterChain;
  use_original_dst: boolean;
  listener_filters: readonly NamedAny[];
  api_listener: Fields<{ api_listener: AnyMessage }>;
  traffic_direction: string;
}>;

export type HttpManager = Fields<{
  rds: Fields<{ config_source: Fields<{ ads: object; self: object }>; route_config_name: string }>;
  route_config: Fields<{ name: string }>;
  scoped_routes: object;
  http_filters: readonly NamedAny[];
  common_http_protocol_options: Fields<{ max_stream_duration: string }>;
  xff_num_trusted_hops: number;
  original_ip_detection_extensions: readonly object[];
  tracing: Tracing;
  access_log: readonly AccessLog[];
}>;

type TcpProxy = Fields<{
  cluster: string;
  weighted_clusters: Fields<{ clusters: readonly Fields<{ name: string }>[] }>;
}>;

export interface OutboundHttp {
  /** Empty: the table is written into the listener. */
  readonly routeName: string;
  readonly inline: RouteConfiguration | undefined;
  readonly maxStreamMs: number;
}

export interface DiscoveredListener {
  readonly name: string;
  /** `api`: it stands for a name that clients dial (gRPC); `outbound`, `inbound`: for addresses. */
  readonly kind: "api" | "outbound" | "inbound";
  readonly address: string;
  readonly port: number;
  /** Routes of HTTP requests, where it takes any. */
  readonly http: OutboundHttp | undefined;
  /** Connections that are no HTTP here, by the cluster they go to: `PassthroughCluster`, `BlackHoleCluster`. */
  readonly tcpClusters: readonly string[];
  /** Connections are told apart by the server name of their own TLS. */
  readonly byServerName: boolean;
  /** Of `inbound` ones: what is asked of those who call. */
  readonly inbound: readonly InboundPort[];
  /** Of traces and access logs; undefined: it says nothing, or is of gRPC's kind. */
  readonly telemetry: ListenerTelemetry | undefined;
  /** What of it is not honoured, by name. */
  readonly notices: readonly string[];
}

/** Field numbers to route_config: of api_listener, of a chain, of the default chain; each in an Any's value (2). */
const INLINE_TABLES = [
  [19, 1, 2, 4],
  [3, 3, 4, 2, 4],
  [25, 3, 4, 2, 4],
];

const READ = known(
  ...[
    "name",
    "address",
    "filter_chains",
    "default_filter_chain",
    "use_original_dst",
    "listener_filters",
    "api_listener",
  ],
  // How Envoy waits for the first bytes and shares its threads; nobody listens for these here.
  ...[
    "traffic_direction",
    "listener_filters_timeout",
    "continue_on_listener_filters_timeout",
    "bind_to_port",
    "access_log",
  ],
  ...["max_connections_to_accept_per_socket_event", "stat_prefix", "metadata", "per_connection_buffer_limit_bytes"],
);

export function listenerType(profile: "envoy" | "grpc"): ResourceType<DiscoveredListener> {
  // A thousand listeners say the same of traces and logs: one object then, while the one before has it.
  let telemetry: ListenerTelemetry | undefined;
  return {
    url: LISTENER,
    wholeState: true,
    nameOf: firstText,
    decode(bytes, name, known) {
      const read = readListener(bytes, profile, name, known?.sent);
      if (isDeepStrictEqual(read.telemetry, telemetry)) return { ...read, telemetry };
      telemetry = read.telemetry;
      return read;
    },
  };
}

/**
 * @param told the name that it is known by, where that is its own
 * @throws {Refused} {WireError}
 */
export function readListener(
  bytes: Uint8Array,
  profile: "envoy" | "grpc",
  told?: string,
  sent: SentBytes = { read: () => bytes },
): DiscoveredListener {
  const spec = decodeEnvoy<ListenerSpec>(LISTENER, bytes);
  const findings = new Findings();
  findings.unread(spec, READ, "listener");
  const { address = "", port_value: port = 0 } = spec.address?.socket_address ?? {};
  const name = knownText(spec.name ?? "", told);
  const api = spec.api_listener?.api_listener;
  const chains = [...(spec.filter_chains ?? []), ...(spec.default_filter_chain ? [spec.default_filter_chain] : [])];
  if (spec.api_listener === undefined && chains.length === 0)
    findings.fault("neither api_listener nor a filter chain is there");
  const inbound = isInbound(spec);
  const managers = api === undefined ? chains.flatMap((chain) => managerOf(chain) ?? []) : [apiManager(api, findings)];
  if (profile === "grpc") checkForGrpc(spec, chains, managers, findings);
  const [manager] = managers;
  const http = manager === undefined || inbound ? undefined : outboundHttp(manager, name, sent, profile, findings);
  if (inbound) for (const each of managers) checkSource(each, findings);
  const ports = inbound ? inboundPorts(spec, findings) : NONE;
  const tcp = inbound ? NONE : chains.flatMap(tcpClusters);
  const telemetry = profile === "grpc" || manager === undefined ? undefined : listenerTelemetry(manager, findings);
  findings.end();
  return {
    name,
    kind: api !== undefined ? "api" : inbound ? "inbound" : "outbound",
    address,
    port,
    http,
    tcpClusters: tcp.length === 0 ? NONE : tcp,
    byServerName: chains.some(({ filter_chain_match }) => (filter_chain_match?.server_names ?? []).length > 0),
    inbound: ports,
    telemetry,
    notices: findings.notices,
  };
}

/** istiod says the direction for sidecars; for gRPC's servers the name does. */
function isInbound({ traffic_direction, name = "", api_listener }: ListenerSpec): boolean {
  if (traffic_direction !== undefined && traffic_direction !== "UNSPECIFIED") return traffic_direction === "INBOUND";
  return api_listener === undefined && !name.startsWith("outbound");
}

export function managerOf({ filters = [] }: FilterChain): HttpManager | undefined {
  for (const { typed_config } of filters) {
    const manager = anyOf<HttpManager>(typed_config, HTTP_MANAGER);
    if (manager !== undefined) return manager;
  }
  return undefined;
}

function tcpClusters({ filters = [] }: FilterChain): readonly string[] {
  return filters.flatMap(({ typed_config }) => {
    const proxy = anyOf<TcpProxy>(typed_config, TCP_PROXY);
    return proxy?.cluster ?? (proxy?.weighted_clusters?.clusters ?? []).flatMap(({ name }) => name ?? []);
  });
}

function apiManager(any: AnyMessage, findings: Findings): HttpManager {
  const manager = anyOf<HttpManager>(any, HTTP_MANAGER);
  if (manager === undefined)
    findings.fault(`api_listener is ${anyType(any) || "empty"}, expected an HttpConnectionManager`);
  return manager ?? {};
}

function outboundHttp(
  manager: HttpManager,
  name: string,
  sent: SentBytes,
  profile: "envoy" | "grpc",
  findings: Findings,
): OutboundHttp {
  const { rds, route_config, common_http_protocol_options } = manager;
  const maxStreamMs = durationMs(common_http_protocol_options?.max_stream_duration, 0);
  checkFilters(manager, profile, findings);
  if (rds !== undefined) {
    if (rds.config_source?.ads === undefined && rds.config_source?.self === undefined) {
      findings.fault("rds.config_source is neither ads nor self");
    }
    return { routeName: knownText(rds.route_config_name ?? "", name), inline: undefined, maxStreamMs };
  }
  if (route_config === undefined) findings.fault("no route specifier that is known here");
  const table = { read: () => inlineTable(sent.read()) ?? NOTHING };
  const written = inlineTable(sent.read());
  const inline =
    written && readRouteConfiguration(written, firstText(written), profile, { sent: table, before: undefined });
  return { routeName: "", inline, maxStreamMs };
}

const NOTHING = new Uint8Array();

function inlineTable(bytes: Uint8Array): Uint8Array | undefined {
  return INLINE_TABLES.flatMap((path) => wireParts(bytes, path))[0];
}

/** gRFC A39. What is passed over on the way out is said by name; what is required and unknown refuses a gRPC listener. */
function checkFilters({ http_filters = [] }: HttpManager, profile: "envoy" | "grpc", findings: Findings): void {
  const names = new Set<string>();
  for (const { name = "" } of http_filters) {
    if (names.has(name)) findings.fault(`two filters have the name ${name}`);
    names.add(name);
  }
  const last = http_filters.at(-1);
  if (anyType(last?.typed_config) !== ROUTER)
    findings.fault(`the last filter is ${last?.name ?? "none"}, expected the router`);
  for (const filter of http_filters.slice(0, -1)) {
    const type = anyType(filter.typed_config);
    if (type === ROUTER) findings.fault("the router stands before other filters");
    if (CLIENT_FILTERS.has(type) || SILENT_FILTERS.has(filter.name ?? "") || filter.disabled) continue;
    if (profile === "grpc" && !filter.is_optional)
      findings.fault(`the filter ${filter.name} (${type || "no type"}) is not supported`);
    else findings.notHonoured(`http_filters ${filter.name} (${type || "no type"})`);
  }
}

const HTTP = "envoy.extensions.filters.http";
const CLIENT_FILTERS: ReadonlySet<string> = new Set([
  ...[`${HTTP}.fault.v3.HTTPFault`, `${HTTP}.cors.v3.Cors`, `${HTTP}.stateful_session.v3.StatefulSession`],
]);
/** Statistics, names of peers and ALPN, which the mesh has its own ways for. */
export const SILENT_FILTERS: ReadonlySet<string> = new Set([
  ...["istio.metadata_exchange", "istio.stats", "istio.alpn", "envoy.filters.http.grpc_stats", "istio_authn"],
]);

/** gRFC A36 and A41: what a server of gRPC must refuse. */
function checkForGrpc(
  spec: ListenerSpec,
  chains: readonly FilterChain[],
  managers: readonly HttpManager[],
  findings: Findings,
): void {
  for (const manager of managers) checkSource(manager, findings);
  if (spec.api_listener !== undefined) return;
  if ((spec.listener_filters ?? []).length > 0) findings.fault("listener_filters are not supported");
  if (spec.use_original_dst) findings.fault("use_original_dst is not supported");
  if (chains.length > 0 && managers.length !== chains.length)
    findings.fault("a filter chain has not exactly one HttpConnectionManager");
  const seen = new Set<string>();
  for (const { filter_chain_match = {} } of spec.filter_chains ?? []) {
    const key = JSON.stringify(filter_chain_match);
    if (seen.has(key)) findings.fault("two filter chains have the same match");
    seen.add(key);
  }
}

/** Who is believed about the address of a client: rules about addresses would be about another one. */
function checkSource(
  { xff_num_trusted_hops = 0, original_ip_detection_extensions = [] }: HttpManager,
  findings: Findings,
): void {
  if (original_ip_detection_extensions.length > 0) findings.fault("original_ip_detection_extensions are not supported");
  if (xff_num_trusted_hops > 0) findings.notHonoured("xff_num_trusted_hops");
}
