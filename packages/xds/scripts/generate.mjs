// Writes src/generated/*.ts: tables of messages and enums, from .proto files. `npm run generate -w @inmesh/xds`
// Envoy's and xDS's own come with the devDependency @grpc/grpc-js-xds (Apache-2.0); only the roots below, and what they reach.
// Istio's lie in a checkout of github.com/istio/api (Apache-2.0), which no package ships: `npm run generate -w @inmesh/xds -- FOLDER`.

import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);

/** Where .proto files of grpc-js-xds lie. */
const XDS = join(dirname(require.resolve("@grpc/grpc-js-xds/package.json")), "deps");
const XDS_VERSION = require("@grpc/grpc-js-xds/package.json").version;
const INCLUDES = ["envoy-api", "xds", "googleapis", "protoc-gen-validate"].map((name) => join(XDS, name));

/** google/protobuf, which nobody else ships. */
const PROTOBUF = dirname(require.resolve("protobufjs/package.json"));

/** A checkout of istio/api; without one its table stays as it is. */
const ISTIO = process.argv[2];
/** .proto files below envoy/, and their messages that are decoded by name: resources, and what an Any may hold. */
const ENVOY_ROOTS = [
  ["config/listener/v3/listener", "Listener"],
  ["config/route/v3/route", "RouteConfiguration"],
  ["config/route/v3/route_components", "FilterConfig"],
  ["config/cluster/v3/cluster", "Cluster"],
  ["config/endpoint/v3/endpoint", "ClusterLoadAssignment"],
  ["extensions/filters/network/http_connection_manager/v3/http_connection_manager", "HttpConnectionManager"],
  ["extensions/filters/network/tcp_proxy/v3/tcp_proxy", "TcpProxy"],
  ["extensions/filters/network/rbac/v3/rbac", "RBAC"],
  ["extensions/filters/http/router/v3/router", "Router"],
  ["extensions/filters/http/fault/v3/fault", "HTTPFault"],
  ["extensions/filters/http/cors/v3/cors", "CorsPolicy", "Cors"],
  ["extensions/filters/http/rbac/v3/rbac", "RBAC", "RBACPerRoute"],
  ["extensions/filters/http/jwt_authn/v3/config", "JwtAuthentication", "PerRouteConfig"],
  ["extensions/filters/http/ext_authz/v3/ext_authz", "ExtAuthz", "ExtAuthzPerRoute"],
  ["extensions/filters/http/local_ratelimit/v3/local_rate_limit", "LocalRateLimit"],
  ["extensions/filters/http/stateful_session/v3/stateful_session", "StatefulSession", "StatefulSessionPerRoute"],
  ["extensions/http/stateful_session/cookie/v3/cookie", "CookieBasedSessionState"],
  ["extensions/http/stateful_session/header/v3/header", "HeaderBasedSessionState"],
  ["extensions/transport_sockets/tls/v3/tls", "UpstreamTlsContext", "DownstreamTlsContext"],
  ["extensions/upstreams/http/v3/http_protocol_options", "HttpProtocolOptions"],
  ["extensions/clusters/aggregate/v3/cluster", "ClusterConfig"],
  ["extensions/access_loggers/file/v3/file", "FileAccessLog"],
  ["extensions/access_loggers/filters/cel/v3/cel", "ExpressionFilter"],
  ["extensions/load_balancing_policies/round_robin/v3/round_robin", "RoundRobin"],
  ["extensions/load_balancing_policies/least_request/v3/least_request", "LeastRequest"],
  ["extensions/load_balancing_policies/random/v3/random", "Random"],
  ["extensions/load_balancing_policies/ring_hash/v3/ring_hash", "RingHash"],
  ["extensions/load_balancing_policies/maglev/v3/maglev", "Maglev"],
  ["extensions/load_balancing_policies/wrr_locality/v3/wrr_locality", "WrrLocality"],
];

/** Fields that Envoy 1.40 has (its binary holds its descriptors) and those .proto files do not: what they ask for must not be passed over. */
const NEWER = {
  "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext": [
    "6 auto_host_sni bool",
    "7 auto_sni_san_validation bool",
  ],
};

/** How filters of others are configured; shown, and otherwise passed over. */
const TYPED_STRUCTS = [
  ["xds/type/v3/typed_struct.proto", "xds.type.v3.TypedStruct"],
  ["udpa/type/v1/typed_struct.proto", "udpa.type.v1.TypedStruct"],
];

/**
 * One table: the messages named, and all that they reach but for what `without` says. Of `hollow` ones no field is kept.
 * @type {readonly { file: string, title: string, input: string, includes: readonly string[], protos: readonly string[], roots: readonly string[], without: RegExp, hollow?: RegExp, jsonNames: boolean }[]}
 */
const TABLES = [
  {
    file: "discovery.ts",
    title: "Messages of the aggregated discovery service",
    input: `the .proto files of @grpc/grpc-js-xds ${XDS_VERSION}`,
    includes: INCLUDES,
    protos: ["envoy/service/discovery/v3/ads.proto", "envoy/service/status/v3/csds.proto"],
    roots: [
      "envoy.service.discovery.v3.DiscoveryRequest",
      "envoy.service.discovery.v3.DiscoveryResponse",
      "envoy.service.discovery.v3.DeltaDiscoveryRequest",
      "envoy.service.discovery.v3.DeltaDiscoveryResponse",
    ],
    without: /^(?:xds\.annotations|udpa\.annotations|validate)\./,
    jsonNames: false,
  },
  {
    file: "status.ts",
    title: "Messages of the client status discovery service",
    input: `the .proto files of @grpc/grpc-js-xds ${XDS_VERSION}`,
    includes: INCLUDES,
    protos: ["envoy/service/status/v3/csds.proto"],
    roots: ["envoy.service.status.v3.ClientStatusRequest", "envoy.service.status.v3.ClientStatusResponse"],
    // Generic configurations say the same of every type (gRFC A40).
    without: /^(?:xds\.annotations|udpa\.annotations|validate)\.|\.PerXdsConfig$/,
    hollow: /^envoy\.type\.matcher\./, // whether there are any is all that is asked
    jsonNames: false,
  },
  ...(ISTIO === undefined ? [] : [istioTable(ISTIO)]),
  {
    file: "envoy.ts",
    title: "Listeners, routes, clusters, endpoints, and the extensions in them that are honoured",
    input: `the .proto files of @grpc/grpc-js-xds ${XDS_VERSION}`,
    includes: INCLUDES,
    protos: [...ENVOY_ROOTS.map(([proto]) => `envoy/${proto}.proto`), ...TYPED_STRUCTS.map(([proto]) => proto)],
    roots: [
      ...ENVOY_ROOTS.flatMap(([proto, ...names]) =>
        names.map((name) => `envoy.${proto.split("/").slice(0, -1).join(".")}.${name}`),
      ),
      ...TYPED_STRUCTS.map(([, name]) => name),
    ],
    without: /^(?:xds\.annotations|udpa\.annotations|validate)\./,
    // Known to be there, and no more: nobody reads what is in them.
    hollow:
      /^(?:xds\.(?!type\.v3\.TypedStruct$)|udpa\.(?!type\.v1\.TypedStruct$)|envoy\.config\.core\.v3\.(?:GrpcService\.GoogleGrpc|ApiConfigSource|HealthCheck|UdpSocketConfig|BindConfig|Extension|EventServiceConfig|Http3|Quic|DnsResolutionConfig|RateLimitSettings|ProxyProtocol|JsonFormatOptions|SchemeHeaderTransformation|SubstitutionFormatString\.|AlternateProtocolsCacheOptions)|envoy\.config\.listener\.v3\.(?:UdpListenerConfig|Listener\.(?!ConnectionBalanceConfig$)|ListenerFilterChainMatchPredicate)|envoy\.config\.cluster\.v3\.(?:Cluster\.(?:LbSubsetConfig|OriginalDst|PreconnectPolicy|CustomClusterType\.)|UpstreamConnectionOptions\.Happy|Filter$|TrackClusterStats)|google\.api\.expr|envoy\.type\.matcher\.v3\.(?:NodeMatcher|HttpRequest))/,
    jsonNames: false,
  },
];

for (const table of TABLES) writeTable(table);

/** Whose names are JSON's: those of Istio's YAML. */
function istioTable(folder) {
  const networking = ["VirtualService", "DestinationRule", "ServiceEntry", "WorkloadEntry", "WorkloadGroup", "Sidecar"];
  const security = ["AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication"];
  const version = execFileSync("git", ["-C", folder, "describe", "--tags", "--long"], { encoding: "utf8" }).trim();
  return {
    file: "istio.ts",
    title: "Istio's resources, and its certificate authority",
    input: `the .proto files of github.com/istio/api at ${version} (Apache-2.0)`,
    includes: [folder, join(folder, "common-protos")],
    protos: [
      ...["virtual_service", "destination_rule", "service_entry", "workload_entry", "workload_group", "sidecar"].map(
        (name) => `networking/v1alpha3/${name}.proto`,
      ),
      ...["authorization_policy", "peer_authentication", "request_authentication"].map(
        (name) => `security/v1beta1/${name}.proto`,
      ),
      ...["telemetry/v1alpha1/telemetry.proto", "mesh/v1alpha1/config.proto"],
      ...["mcp/v1alpha1/resource.proto", "security/v1alpha1/ca.proto"],
    ],
    roots: [
      ...networking.map((name) => `istio.networking.v1alpha3.${name}`),
      ...security.map((name) => `istio.security.v1beta1.${name}`),
      ...["istio.telemetry.v1alpha1.Telemetry", "istio.mesh.v1alpha1.MeshConfig", "istio.mcp.v1alpha1.Resource"],
      ...["istio.v1.auth.IstioCertificateRequest", "istio.v1.auth.IstioCertificateResponse"],
    ],
    without: /^google\.api\./,
    jsonNames: true,
  };
}

function writeTable({ file, title, input, includes, protos, roots, without, hollow, jsonNames }) {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) =>
    [...includes, PROTOBUF].map((folder) => join(folder, target)).find((path) => existsSync(path)) ?? null;
  // Names as in the .proto file; the JSON name is made below where it is wanted.
  root.loadSync(["google/protobuf/descriptor.proto", ...protos], { keepCase: true });
  const messages = new Map();
  const enums = new Map();
  const waiting = [...roots];
  while (waiting.length > 0) {
    const name = waiting.pop();
    if (messages.has(name) || name.startsWith("google.protobuf.") || without.test(name)) continue;
    if (hollow?.test(name)) {
      messages.set(name, "");
      continue;
    }
    const type = root.lookupType(name);
    const fields = type.fieldsArray.flatMap((field) => fieldText(field, { waiting, enums, without, jsonNames }));
    messages.set(name, [...fields, ...(NEWER[name] ?? [])].join(";"));
  }
  const lines = [
    `/** ${title}. Generated by scripts/generate.mjs from ${input}; do not edit. */`,
    "",
    'import type { SchemaTables } from "../proto/schema.js";',
    "",
    "// biome-ignore-all format: one line each, as generated",
    `export const ${constantName(file)}: SchemaTables = {`,
    "  messages: {",
    ...[...messages].sort(byName).map(([name, text]) => `    ${JSON.stringify(name)}: ${JSON.stringify(text)},`),
    "  },",
    "  enums: {",
    ...[...enums].sort(byName).map(([name, text]) => `    ${JSON.stringify(name)}: ${JSON.stringify(text)},`),
    "  },",
    "};",
    "",
  ];
  writeFileSync(join(here, "..", "src", "generated", file), lines.join("\n"));
  console.log(`${file}: ${messages.size} messages, ${enums.size} enums`);
}

function fieldText(field, { waiting, enums, without, jsonNames }) {
  try {
    field.resolve();
  } catch {
    return []; // of a type that its package does not ship
  }
  const { id, name, repeated, map, keyType, resolvedType, partOf } = field;
  let type = field.type;
  let mark = "";
  if (resolvedType instanceof protobuf.Enum) {
    type = resolvedType.fullName.slice(1);
    mark = "#";
    enums.set(
      type,
      Object.entries(resolvedType.values)
        .map(([key, number]) => `${number} ${key}`)
        .join(";"),
    );
  } else if (resolvedType !== null) {
    type = resolvedType.fullName.slice(1);
    if (without.test(type)) return [];
    waiting.push(type);
  }
  const shown = jsonNames ? (field.options?.json_name ?? jsonName(name)) : name;
  const oneof = partOf && !partOf.isProto3Optional ? `@${partOf.name}` : "";
  return [`${id} ${shown} ${repeated ? "[]" : ""}${map ? `{${keyType}}` : ""}${mark}${type}${oneof}`];
}

/** As protoc makes it: `consecutive_5xx_errors` is `consecutive5xxErrors`. */
function jsonName(name) {
  return name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
}

function constantName(file) {
  return file.replace(".ts", "").replaceAll("-", "_").toUpperCase();
}

function byName([a], [b]) {
  return a < b ? -1 : 1;
}
