/** Cluster: read once for what it is and whether it may be; its policy is compiled when calls want it, from the bytes. */

import { isIP } from "node:net";
import type { ConnectionPolicy, Protocol, Resolution, ResourceRef, TrafficPolicy } from "@inmesh/model";
import { canonicalJson } from "@inmesh/model/internal";
import type { ClusterAssignment } from "../client/endpoint/assignment.js";
import { readAssignment } from "../client/endpoint/decode-assignment.js";
import { firstText } from "../client/first-text.js";
import { knownText } from "../client/known-text.js";
import { NONE } from "../client/none.js";
import type { ResourceType, SentBytes } from "../client/watch.js";
import { type ClusterKind, KindPool } from "./cluster-kind.js";
import { Findings, known } from "./refusal.js";
import { originOf } from "./route.js";
import { clusterParts } from "./route-action.js";
import { type AnyMessage, anyOf, anyType, decodeEnvoy, type Fields } from "./schema.js";
import { compileTrafficPolicy, type PolicySpec, protocolOf, protocolOptions } from "./traffic-policy.js";
import { CLUSTER } from "./urls.js";
import { wireParts } from "./wire-parts.js";

const AGGREGATE = "envoy.extensions.clusters.aggregate.v3.ClusterConfig";

type ConfigSource = Fields<{
  ads: object;
  self: object;
  path: string;
  api_config_source: object;
  path_config_source: object;
}>;

type ClusterSpec = PolicySpec &
  Fields<{
    name: string;
    type: string | number;
    cluster_type: Fields<{ name: string; typed_config: AnyMessage }>;
    eds_cluster_config: Fields<{ eds_config: ConfigSource; service_name: string }>;
    load_assignment: Fields<{ endpoints: readonly Fields<{ lb_endpoints: readonly object[] }>[] }>;
    lrs_server: ConfigSource;
    metadata: Fields<{ filter_metadata: Readonly<Record<string, Readonly<Record<string, unknown>>>> }>;
  }>;

const READ = known(
  ...[
    "name",
    "type",
    "cluster_type",
    "eds_cluster_config",
    "load_assignment",
    "metadata",
    "connect_timeout",
    "lb_policy",
  ],
  ...["load_balancing_policy", "ring_hash_lb_config", "maglev_lb_config", "least_request_lb_config", "lrs_server"],
  ...["round_robin_lb_config", "common_lb_config", "circuit_breakers", "outlier_detection", "transport_socket"],
  ...["transport_socket_matches", "typed_extension_protocol_options", "http2_protocol_options"],
  ...["common_http_protocol_options", "upstream_connection_options", "alt_stat_name"],
  // Of names, which this process looks up in its own way; of HTTP/1, whose defaults are Node's.
  ...["dns_refresh_rate", "respect_dns_ttl", "dns_lookup_family", "typed_dns_resolver_config", "http_protocol_options"],
  // Statistics of Envoy's, and what waits for endpoints there: here every cluster does.
  ...[
    "track_cluster_stats",
    "track_timeout_budgets",
    "filters",
    "wait_for_warm_on_init",
    "per_connection_buffer_limit_bytes",
  ],
);

/** @param acceptsUnnamed see `XdsTarget` */
export function clusterType(profile: "envoy" | "grpc", acceptsUnnamed = false): ResourceType<DiscoveredCluster> {
  const kinds = new KindPool();
  return {
    url: CLUSTER,
    wholeState: true,
    nameOf: firstText,
    decode: (bytes, name, known) => readCluster(bytes, profile, acceptsUnnamed, { name, sent: known?.sent, kinds }),
    same: meansTheSame,
  };
}

interface KnownOfCluster {
  /** That it is told by, where that is its own. */
  readonly name?: string;
  readonly sent?: SentBytes | undefined;
  readonly kinds?: KindPool;
}

/** @throws {Refused} {WireError} */
export function readCluster(
  bytes: Uint8Array,
  profile: "envoy" | "grpc",
  acceptsUnnamed = false,
  { name: told, sent = { read: () => bytes }, kinds = new KindPool() }: KnownOfCluster = {},
): DiscoveredCluster {
  const spec = decodeEnvoy<ClusterSpec>(CLUSTER, bytes);
  const findings = new Findings();
  findings.unread(spec, READ, "cluster");
  const { metadata } = spec;
  const name = knownText(spec.name ?? "", told);
  if (name === "") findings.fault("the cluster has no name");
  const { kind, resolution, edsName, children } = discovery(name, spec, profile, findings);
  const endpoints = kind === "inline" ? writtenEndpoints(bytes, resolution, findings) : undefined;
  if (spec.lrs_server !== undefined && spec.lrs_server.self === undefined) findings.fault("lrs_server is not self");
  if (spec.lrs_server !== undefined) findings.notHonoured("lrs_server");
  compileTrafficPolicy(spec, profile, acceptsUnnamed, findings); // for what is wrong with it
  findings.end();
  const { host, port, subset, service, namespace, external } = identity(name, metadata?.filter_metadata?.["istio"]);
  const like = kinds.one({
    ...{ kind, resolution, children, endpoints, port, subset, namespace, external },
    protocol: protocolName(spec, protocolOf(spec)),
    resource: originOf(metadata),
    weighsLocalities: profile === "grpc" || spec.common_lb_config?.locality_weighted_lb_config !== undefined,
    notices: findings.notices,
    profile,
    acceptsUnnamed,
  });
  return new DiscoveredCluster(name, { edsName: knownText(edsName, name), host, service }, like, sent);
}

/** Of a thousand of them few are called, and many are alike: each has what is its own, and the rest in common. */
export class DiscoveredCluster {
  readonly name: string;
  readonly edsName: string;
  /** What istiod says of it; without that, the cluster is a service of its own. */
  readonly host: string;
  readonly #service: string;
  readonly #like: ClusterKind;
  readonly #sent: SentBytes;
  #policy: TrafficPolicy | undefined;

  constructor(
    name: string,
    { edsName, host, service }: { readonly edsName: string; readonly host: string; readonly service: string },
    like: ClusterKind,
    sent: SentBytes,
  ) {
    this.name = name;
    this.edsName = edsName;
    this.host = host;
    this.#service = service;
    this.#like = like;
    this.#sent = sent;
  }

  get kind(): ClusterKind["kind"] {
    return this.#like.kind;
  }

  get resolution(): Resolution {
    return this.#like.resolution;
  }

  get children(): readonly string[] {
    return this.#like.children;
  }

  get endpoints(): ClusterAssignment | undefined {
    return this.#like.endpoints;
  }

  get port(): number {
    return this.#like.port;
  }

  get subset(): string {
    return this.#like.subset;
  }

  get service(): { readonly name: string; readonly namespace: string; readonly external: boolean } {
    const { namespace, external } = this.#like;
    return { name: this.#service, namespace, external };
  }

  get protocol(): Protocol {
    return this.#like.protocol;
  }

  get resource(): ResourceRef | null {
    return this.#like.resource;
  }

  get weighsLocalities(): boolean {
    return this.#like.weighsLocalities;
  }

  get notices(): readonly string[] {
    return this.#like.notices;
  }

  /** As it was sent. */
  get bytes(): Uint8Array {
    return this.#sent.read();
  }

  /** Compiled when first asked for: of a thousand clusters a process calls a few. */
  get policy(): TrafficPolicy {
    const { profile, acceptsUnnamed } = this.#like;
    this.#policy ??= compileTrafficPolicy(
      decodeEnvoy<ClusterSpec>(CLUSTER, this.bytes),
      profile,
      acceptsUnnamed,
      new Findings(),
    );
    return this.#policy;
  }
}

/** Field number of load_assignment. */
const LOAD_ASSIGNMENT = 33;

/** Names may stand where addresses do, in clusters that look them up. */
function writtenEndpoints(
  bytes: Uint8Array,
  resolution: Resolution,
  findings: Findings,
): ClusterAssignment | undefined {
  const [written] = wireParts(bytes, [LOAD_ASSIGNMENT]);
  if (written === undefined) return undefined;
  const assignment = readAssignment(written);
  for (const endpoint of assignment.localities.flatMap(({ endpoints }) => endpoints)) {
    const { address, port } = endpoint;
    const isName = resolution === "static" && isIP(address) === 0 && !address.startsWith("unix://");
    const wrong = assignment.flaws.get(endpoint) ?? (isName ? "its address is no IP" : undefined);
    if (wrong !== undefined) findings.fault(`load_assignment has the endpoint ${address}:${port}: ${wrong}`);
  }
  return assignment;
}

type Discovery = Pick<DiscoveredCluster, "kind" | "resolution" | "edsName" | "children">;

function discovery(name: string, spec: ClusterSpec, profile: "envoy" | "grpc", findings: Findings): Discovery {
  const none = { edsName: "", children: NONE };
  const custom = anyOf<{ clusters: readonly string[] }>(spec.cluster_type?.typed_config, AGGREGATE);
  if (custom !== undefined) {
    const children = custom.clusters ?? [];
    if (children.length === 0) findings.fault("the aggregate cluster names no cluster");
    return { kind: "aggregate", resolution: "static", edsName: "", children };
  }
  if (spec.cluster_type !== undefined) {
    findings.fault(
      `cluster_type ${anyType(spec.cluster_type.typed_config) || spec.cluster_type.name} is not supported`,
    );
  }
  switch (spec.type ?? "STATIC") {
    case "EDS": {
      const { eds_config, service_name } = spec.eds_cluster_config ?? {};
      if (eds_config?.ads === undefined && eds_config?.self === undefined) {
        findings.fault("eds_cluster_config.eds_config is neither ads nor self");
      }
      if (name.startsWith("xdstp:") && !service_name)
        findings.fault("a name of the new style needs eds_cluster_config.service_name");
      return { ...none, kind: "eds", resolution: "static", edsName: service_name || name };
    }
    case "STATIC":
      return { ...none, kind: "inline", resolution: "static" };
    case "STRICT_DNS":
      return { ...none, kind: "inline", resolution: "dns" };
    case "LOGICAL_DNS": {
      const localities = spec.load_assignment?.endpoints ?? [];
      const [only] = localities;
      // gRFC A37.
      if (profile === "grpc" && (localities.length !== 1 || only?.lb_endpoints?.length !== 1)) {
        findings.fault("a LOGICAL_DNS cluster needs one locality with one endpoint");
      }
      return { ...none, kind: "inline", resolution: "dnsRoundRobin" };
    }
    case "ORIGINAL_DST":
      if (profile === "grpc") findings.fault("cluster type ORIGINAL_DST is not supported");
      return { ...none, kind: "asAsked", resolution: "passThrough" };
    default:
      findings.fault(`cluster type ${spec.type} is not supported`);
      return { ...none, kind: "inline", resolution: "static" };
  }
}

/** istiod's words about a cluster, else what its name says. */
function identity(name: string, istio: Readonly<Record<string, unknown>> | undefined) {
  const { host, port, subset } = clusterParts(name);
  const listed = istio?.["services"];
  const said: unknown = Array.isArray(listed) ? listed[0] : undefined;
  const text = (key: string): string => {
    const value = typeof said === "object" && said !== null ? (said as Record<string, unknown>)[key] : undefined;
    return typeof value === "string" ? value : "";
  };
  return {
    ...{ host, port, subset },
    service: knownText((text("name") || host).split(".")[0] ?? host, host),
    // istiod says nothing of it to gRPC clients.
    namespace: text("namespace") || (/^[^.]+\.([^.]+)\.svc\./.exec(host)?.[1] ?? ""),
    external: istio?.["external"] === true,
  };
}

function protocolName(spec: ClusterSpec, protocol: ConnectionPolicy["protocol"]): Protocol {
  if (protocol === "http2") return "http2";
  if (protocol === "caller") return "unknown";
  return protocolOptions(spec)?.explicit_http_config?.http_protocol_options === undefined ? "tcp" : "http";
}

/** Decoded, and compared by what is said: maps come in any order. */
function meansTheSame(a: DiscoveredCluster, b: DiscoveredCluster): boolean {
  const [before, after] = [a.bytes, b.bytes];
  if (before.length !== after.length) return false;
  return canonicalJson(decodeEnvoy(CLUSTER, before)) === canonicalJson(decodeEnvoy(CLUSTER, after));
}
