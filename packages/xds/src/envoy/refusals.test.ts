/** What refuses a resource (a NACK), what makes one route unusable, and what is only passed over: one line each. */

import { describe, expect, it } from "vitest";
import { createEndpointType } from "../client/endpoint/endpoint-type.js";
import type { Message } from "../proto/decode.js";
import { readCluster } from "./cluster.js";
import { readListener } from "./listener.js";
import { readRouteConfiguration } from "./route-configuration.js";
import { CLUSTER, LISTENER, ROUTE_CONFIGURATION } from "./urls.js";
import { bytesOf, cluster, endpoints, manager, ROUTER_FILTER, routes } from "./written.test.helper.js";

const FAULT = { name: "fault", typed_config: { "@type": "envoy.extensions.filters.http.fault.v3.HTTPFault" } };
const unknown = (type: string): Message => ({ type, value: new Uint8Array() });
const RDS = { rds: { config_source: { ads: {} }, route_config_name: "r" } };
const UPSTREAM_TLS = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
const DOWNSTREAM_TLS = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";

const api = (more: Message): Message => ({ name: "l", api_listener: { api_listener: manager(more) } });
const chain = (more: Message = {}): Message => ({
  filters: [{ name: "http", typed_config: manager({ route_config: {} }) }],
  ...more,
});
const server = (more: Message): Message => ({
  name: "inbound",
  address: { socket_address: { address: "0.0.0.0", port_value: 8080 } },
  filter_chains: [chain()],
  ...more,
});
const secured = (common: Message | undefined, more: Message = {}): Message => {
  const typed_config = { "@type": DOWNSTREAM_TLS, ...(common && { common_tls_context: common }), ...more };
  return server({ filter_chains: [chain({ transport_socket: { name: "tls", typed_config } })] });
};

describe("a listener", () => {
  it.each<readonly [string, Message, string]>([
    [
      "an api_listener of another kind",
      { name: "l", api_listener: { api_listener: unknown("a.B") } },
      "expected an HttpConnectionManager",
    ],
    [
      "routes from elsewhere",
      api({ rds: { config_source: { path: "/x" }, route_config_name: "r" } }),
      "neither ads nor self",
    ],
    ["no routes", api({}), "no route specifier"],
    [
      "two filters of one name",
      api({ ...RDS, http_filters: [FAULT, FAULT, ROUTER_FILTER] }),
      "two filters have the name fault",
    ],
    [
      "a required filter that is not known",
      api({ ...RDS, http_filters: [{ name: "x", typed_config: unknown("a.B") }, ROUTER_FILTER] }),
      "a.B",
    ],
    ["no filter at all", api({ ...RDS, http_filters: [] }), "expected the router"],
    ["a router that is not last", api({ ...RDS, http_filters: [ROUTER_FILTER, FAULT] }), "expected the router"],
    [
      "an address that others say",
      api({ ...RDS, original_ip_detection_extensions: [{ name: "x" }] }),
      "original_ip_detection",
    ],
    ["neither name nor port to serve", { name: "l" }, "neither api_listener nor a filter chain"],
    ["listener filters", server({ listener_filters: [{ name: "x" }] }), "listener_filters"],
    ["original destinations", server({ use_original_dst: true }), "use_original_dst"],
    ["a chain without HTTP", server({ filter_chains: [{ filters: [] }] }), "exactly one HttpConnectionManager"],
    ["two chains of one match", server({ filter_chains: [chain(), chain()] }), "the same match"],
    [
      "a transport socket that is not known",
      server({ filter_chains: [chain({ transport_socket: { name: "x", typed_config: unknown("a.B") } })] }),
      "a.B",
    ],
    ["TLS without its settings", secured(undefined), "no common_tls_context"],
    ["require_sni", secured({}, { require_sni: true }), "require_sni"],
    ["stapling", secured({}, { ocsp_staple_policy: "MUST_STAPLE" }), "ocsp_staple_policy"],
    ["a handshaker of its own", secured({ custom_handshaker: { name: "x" } }), "custom_handshaker"],
    ["pinned keys", secured({ validation_context: { verify_certificate_spki: ["x"] } }), "verify_certificate_spki"],
    [
      "pinned certificates",
      secured({ validation_context: { verify_certificate_hash: ["x"] } }),
      "verify_certificate_hash",
    ],
    [
      "certificate transparency",
      secured({ validation_context: { require_signed_certificate_timestamp: true } }),
      "signed_certificate",
    ],
    [
      "a validator of its own",
      secured({ validation_context: { custom_validator_config: { name: "x" } } }),
      "custom_validator_config",
    ],
  ])("is refused for %s", (_, message, why) => {
    expect(() => readListener(bytesOf(LISTENER, message), "grpc")).toThrow(why);
  });

  it("passes over, by name, an optional filter that is not known", () => {
    const filter = { name: "x", typed_config: unknown("a.B"), is_optional: true };
    const { notices } = readListener(bytesOf(LISTENER, api({ ...RDS, http_filters: [filter, ROUTER_FILTER] })), "grpc");
    expect(notices).toEqual(["http_filters x (a.B)"]);
  });
});

const table = (route: Message, domains = ["*"]): Message => ({
  name: "r",
  virtual_hosts: [{ name: "v", domains, routes: [route] }],
});
const match = { prefix: "/" };
const to = { cluster: "c" };

describe("a table of routes", () => {
  it.each<readonly [string, Message, string]>([
    ["a star inside a domain", table({ match, route: to }, ["a*b"]), "a star in the middle"],
    ["two hosts for everything", table({ match, route: to }, ["*", "*"]), "the domain *"],
    ["no path", table({ match: {}, route: to }), "no path specifier"],
    ["a regex that is none", table({ match: { safe_regex: { regex: "(" } }, route: to }), "RE2"],
    [
      "a header matched in an unknown way",
      table({ match: { prefix: "/", headers: [{ name: "x", treat_missing_header_as_empty: true }] }, route: to }),
      "in no way",
    ],
    [
      "a range that ends before it begins",
      table({ match: { prefix: "/", headers: [{ name: "x", range_match: { start: 2, end: 1 } }] }, route: to }),
      "range",
    ],
    [
      "weights of nothing",
      table({ match, route: { weighted_clusters: { clusters: [{ name: "c", weight: 0 }] } } }),
      "add up to 0",
    ],
    [
      "weights beyond 32 bits",
      table({
        match,
        route: {
          weighted_clusters: {
            clusters: [
              { name: "c", weight: 4294967295 },
              { name: "d", weight: 1 },
            ],
          },
        },
      }),
      "add up to 4294967296",
    ],
    [
      "a back-off of nothing",
      table({ match, route: { ...to, retry_policy: { retry_back_off: {} } } }),
      "base interval",
    ],
    [
      "a back-off that shrinks",
      table({
        match,
        route: { ...to, retry_policy: { retry_back_off: { base_interval: "1s", max_interval: "0.5s" } } },
      }),
      "below its base_interval",
    ],
  ])("is refused for %s", (_, message, why) => {
    expect(() => readRouteConfiguration(bytesOf(ROUTE_CONFIGURATION, message), "r", "grpc")).toThrow(why);
  });

  it.each<readonly [string, Message]>([
    ["no action", { match }],
    ["an action for servers", { match, non_forwarding_action: {} }],
    ["a cluster that a header names", { match, route: { cluster_header: "x" } }],
  ])("keeps its other routes beside one with %s, whose requests fail", (_, route) => {
    const message: Message = {
      name: "r",
      virtual_hosts: [{ name: "v", domains: ["*"], routes: [{ match: { path: "/ok" }, route: to }, route] }],
    };
    const read = readRouteConfiguration(bytesOf(ROUTE_CONFIGURATION, message), "r", "grpc");
    const found = read.find("x")!.host.compile(80, undefined, 0); // a star
    expect(found.routes.map(({ action }) => (action.kind === "directResponse" ? action.status : action.kind))).toEqual([
      "forward",
      503,
    ]);
    expect(read.notices.length).toBe(1);
  });
});

it("looks at the first hosts of a long table at once, and at others when they are asked for: their own requests fail then", () => {
  const bad = { name: "bad", domains: ["bad"], routes: [{ match: { safe_regex: { regex: "(" } }, route: to }] };
  const good = Array.from({ length: 40 }, (_, at) => ({
    name: `h${at}`,
    domains: [`h${at}`],
    routes: [{ match, route: to }],
  }));
  const read = readRouteConfiguration(
    bytesOf(ROUTE_CONFIGURATION, { name: "r", virtual_hosts: [...good, bad] }),
    "r",
    "envoy",
  );
  const kinds = ["h39", "bad"].map((host) => read.find(host)?.host.compile(80, undefined, 0).routes[0]?.action.kind);
  expect(kinds).toEqual(["forward", "directResponse"]);
});

const eds = { name: "c", type: "EDS", eds_cluster_config: { eds_config: { ads: {} } } };
const tls = (common: Message): Message => ({
  ...eds,
  transport_socket: { name: "tls", typed_config: { "@type": UPSTREAM_TLS, common_tls_context: common } },
});

describe("a cluster", () => {
  it.each<readonly [string, Message, string]>([
    [
      "a kind of discovery that is not known",
      { name: "c", cluster_type: { name: "x", typed_config: unknown("a.B") } },
      "a.B",
    ],
    [
      "endpoints from elsewhere",
      { ...eds, eds_cluster_config: { eds_config: { path: "/x" } } },
      "neither ads nor self",
    ],
    ["a name of the new style without another for endpoints", { ...eds, name: "xdstp://a/c" }, "service_name"],
    ["names without an endpoint", { name: "c", type: "LOGICAL_DNS" }, "one locality with one endpoint"],
    ["addresses as asked", { name: "c", type: "ORIGINAL_DST" }, "ORIGINAL_DST"],
    [
      "an aggregate of nothing",
      {
        name: "c",
        cluster_type: { name: "x", typed_config: { "@type": "envoy.extensions.clusters.aggregate.v3.ClusterConfig" } },
      },
      "names no cluster",
    ],
    [
      "a balancer that is not known",
      {
        ...eds,
        load_balancing_policy: { policies: [{ typed_extension_config: { name: "x", typed_config: unknown("a.B") } }] },
      },
      "a.B",
    ],
    [
      "a ring too large",
      { ...eds, lb_policy: "RING_HASH", ring_hash_lb_config: { minimum_ring_size: 8388609 } },
      "more than 8388608",
    ],
    [
      "a ring that is smaller than it may be",
      { ...eds, lb_policy: "RING_HASH", ring_hash_lb_config: { minimum_ring_size: 9, maximum_ring_size: 8 } },
      "above maximum",
    ],
    [
      "another hash",
      { ...eds, lb_policy: "RING_HASH", ring_hash_lb_config: { hash_function: "MURMUR_HASH_2" } },
      "MURMUR",
    ],
    [
      "a choice of one",
      { ...eds, lb_policy: "LEAST_REQUEST", least_request_lb_config: { choice_count: 1 } },
      "choice_count",
    ],
    ["a time before it began", { ...eds, outlier_detection: { interval: "-1s" } }, "interval"],
    ["more than all", { ...eds, outlier_detection: { max_ejection_percent: 101 } }, "max_ejection_percent"],
    ["reports to another server", { ...eds, lrs_server: { ads: {} } }, "lrs_server"],
    [
      "a transport socket that is not known",
      { ...eds, transport_socket: { name: "x", typed_config: unknown("a.B") } },
      "a.B",
    ],
    ["pinned keys", tls({ validation_context: { verify_certificate_spki: ["x"] } }), "verify_certificate_spki"],
  ])("is refused for %s", (_, message, why) => {
    expect(() => readCluster(bytesOf(CLUSTER, message), "grpc")).toThrow(why);
  });

  it("goes round robin, and says so, where Envoy has a balancer that is not there", () => {
    const read = readCluster(bytesOf(CLUSTER, { ...eds, lb_policy: "LOAD_BALANCING_POLICY_CONFIG" }), "envoy");
    expect([read.policy.loadBalancer, read.notices.join()]).toEqual([
      "roundRobin",
      expect.stringContaining("LOAD_BALANCING_POLICY_CONFIG"),
    ]);
  });

  it("sends nothing where a certificate is judged by what is not understood", () => {
    const matched = {
      match_subject_alt_names: [{ prefix: "spiffe://" }],
      ca_certificate_provider_instance: { instance_name: "default" },
    };
    const { tls: asked } = readCluster(bytesOf(CLUSTER, tls({ validation_context: matched })), "grpc").policy;
    expect([asked.mode, asked.refusal]).toEqual(["ISTIO_MUTUAL", expect.stringContaining("patterns")]);
  });

  it.each<readonly [string, Message, "anyIdentity" | "names" | "none"]>([
    ["of the mesh's roots", { ca_certificate_provider_instance: { instance_name: "default" } }, "anyIdentity"],
    ["of a file", { trusted_ca: { filename: "/ca.pem" } }, "none"],
    ["of the system", { system_root_certs: {} }, "names"],
    [
      "that names one",
      {
        trusted_ca: { filename: "/ca.pem" },
        match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: "a" } }],
      },
      "none",
    ],
  ])("takes no server that nobody names for it, by a CA %s, unless the operator does", (_, validation, accepted) => {
    const bytes = bytesOf(CLUSTER, tls({ validation_context: validation }));
    const [usual, opted] = [false, true].map((accepts) => readCluster(bytes, "envoy", accepts).policy.tls);
    const isNamed = (usual?.subjectAltNames.length ?? 0) > 0;
    expect([usual?.anyIdentity, usual?.identities]).toEqual([undefined, []]);
    expect(usual?.verifiesServerName).toBe(usual?.mode !== "ISTIO_MUTUAL" && !isNamed);
    expect([opted?.anyIdentity === true, opted?.verifiesServerName]).toEqual([
      accepted === "anyIdentity",
      accepted === "names",
    ]);
    expect(opted?.subjectAltNames).toEqual(isNamed ? ["a"] : []);
  });

  it("keeps to the server's name where the cluster asks for that", () => {
    const common_tls_context = { validation_context: { trusted_ca: { filename: "/ca.pem" } } };
    const config = { "@type": UPSTREAM_TLS, common_tls_context, sni: "pay.example", auto_sni_san_validation: true };
    const bytes = bytesOf(CLUSTER, { ...eds, transport_socket: { name: "tls", typed_config: config } });
    expect(readCluster(bytes, "envoy", true).policy.tls).toMatchObject({
      verifiesServerName: true,
      sni: "pay.example",
    });
  });
});

it("never fails otherwise than by refusing, whatever the bytes are", () => {
  const written = [cluster("c"), routes("r", { a: "c" }), bytesOf(LISTENER, api(RDS)), endpoints("c", "10.0.0.1:80")];
  const readers = [
    (bytes: Uint8Array) => readCluster(bytes, "envoy").policy,
    (bytes: Uint8Array) => readRouteConfiguration(bytes, "r", "envoy").find("a")?.host.compile(80, undefined, 0),
    (bytes: Uint8Array) => readListener(bytes, "envoy"),
    (bytes: Uint8Array) => createEndpointType("envoy").decode(bytes, "c"),
  ];
  let seed = 7;
  const next = (below: number): number => {
    seed = (seed * 48_271) % 0x7fff_ffff;
    return seed % below;
  };
  const failures = new Set<string>();
  let read = 0;
  for (let round = 0; round < 4_000; round++) {
    const which = round % written.length;
    const bytes = Uint8Array.from(written[which]!); // in range
    for (let flip = 0; flip <= round % 3; flip++) bytes[next(bytes.length)] = next(256);
    try {
      readers[which]!(bytes.subarray(0, round % 5 === 0 ? next(bytes.length) : bytes.length));
      read += 1;
    } catch (error) {
      failures.add((error as Error).name);
    }
  }
  expect(read).toBeGreaterThan(100);
  expect([...failures].filter((name) => !["Refused", "WireError", "Error"].includes(name))).toEqual([]);
});
