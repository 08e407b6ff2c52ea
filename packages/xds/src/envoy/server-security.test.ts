import type { AccessRequest, PeerIdentity, SecurityPolicy } from "@inmesh/model";
import { parseSpiffeId } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { listenerType, readListener } from "./listener.js";
import { RECORDINGS_MISSING, recorded } from "./recorded.test.helper.js";
import { serverWords } from "./server-security.js";
import { LISTENER } from "./urls.js";
import { bytesOf, manager, ROUTER_FILTER } from "./written.test.helper.js";

const REVIEWS = "spiffe://cluster.local/ns/shop/sa/reviews";

interface Asked extends Partial<Omit<AccessRequest, "peer">> {
  readonly method?: string;
  readonly path?: string;
  readonly peer?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function request({ method = "GET", path = "/", peer, headers = {}, ...more }: Asked): AccessRequest {
  return {
    // As servers have it: its method is read when it is asked for.
    http: new (class {
      path = path;
      target = path;
      authority = "app.shop";
      header = (name: string) => headers[name];
      get method(): string {
        return method;
      }
    })(),
    peer: peer === undefined ? undefined : (parseSpiffeId(peer) as PeerIdentity),
    ...{ sourceIp: "127.0.0.1", remoteIp: "127.0.0.1", destinationIp: "127.0.0.1", port: 29080, sni: "" },
    ...more,
  };
}

describe.skipIf(RECORDINGS_MISSING !== undefined)("the inbound listener of a real istiod", () => {
  const policy = (): SecurityPolicy => {
    const listeners = [...recorded("sidecar.sotw.json", listenerType("envoy")).values()];
    return serverWords(
      listeners.filter(({ kind }) => kind === "inbound"),
      "",
      "cluster.local",
    ).security;
  };

  it("asks for mTLS as the PeerAuthentication does: STRICT, but for one port", () => {
    const { peer, trustDomains } = policy();
    const modes = Object.fromEntries([...peer.ports].map(([port, { mode }]) => [port, mode]));
    expect({ mode: peer.mode, modes, trustDomains }).toEqual({
      mode: "STRICT",
      modes: { 29080: "PERMISSIVE", 29090: "STRICT" },
      trustDomains: ["cluster.local"],
    });
  });

  it.each([
    ["who is let in by an ALLOW rule", { peer: REVIEWS, path: "/api/a", headers: { "x-token": "abcd" } }, true],
    [
      "another account",
      { peer: "spiffe://cluster.local/ns/shop/sa/x", path: "/api/a", headers: { "x-token": "abcd" } },
      false,
    ],
    ["a path that the rule excepts", { peer: REVIEWS, path: "/api/private", headers: { "x-token": "abcd" } }, false],
    ["a header that does not fit", { peer: REVIEWS, path: "/api/a", headers: { "x-token": "x" } }, false],
    [
      "a method that a DENY rule is about",
      { peer: REVIEWS, method: "DELETE", path: "/api/a", headers: { "x-token": "abcd" } },
      false,
    ],
    [
      "an address that a DENY rule is about",
      { peer: REVIEWS, path: "/api/a", headers: { "x-token": "abcd" }, remoteIp: "10.0.0.1" },
      false,
    ],
    ["a token of the group", { claims: { iss: "https://issuer.example", sub: "ann", group: ["ops"] } }, true],
    ["a token of another group", { claims: { iss: "https://issuer.example", sub: "ann", group: "sales" } }, false],
  ] as const)("judges %s", (_, asked, allowed) => {
    expect(policy().access.decide(request(asked)).allowed).toBe(allowed);
  });

  it("names the rule, what is audited, what is rehearsed, and what somebody else is asked about", () => {
    const { access } = policy();
    const denied = access.decide(request({ method: "DELETE", path: "/dry" }));
    expect(denied).toMatchObject({
      decidedBy: { action: "DENY", policy: { namespace: "shop", name: "deny-delete" }, rule: 0 },
      dryRun: [{ policy: { name: "dry-run" }, wouldAllow: false }],
    });
    expect(access.decide(request({ method: "PUT" })).audit).toMatchObject([
      { policy: { name: "audit-writes" }, rule: 0 },
    ]);
    expect(access.custom(request({ path: "/admin/x" }))).toMatchObject({ rule: { policy: { name: "ask-outside" } } });
    expect(access.custom(request({ path: "/x" }))).toBeUndefined();
    const asked = access.custom(request({ path: "/admin/x" }));
    expect(asked?.refusal).toBe("");
    expect(policy().authorizers.get(asked?.provider ?? "")).toMatchObject({
      ...{ protocol: "grpc", host: "audit.ops.svc.cluster.local", port: 9090, timeoutMs: 200, failOpen: false },
    });
  });

  it("believes the issuers of tokens that the RequestAuthentication names", () => {
    expect(policy().jwt).toMatchObject([
      {
        issuer: "https://issuer.example",
        audiences: ["shop"],
        required: false,
        forwardsToken: true,
        payloadHeader: "x-jwt-payload",
      },
    ]);
  });
});

function inbound(...filters: object[]) {
  const chain = {
    filters: [{ name: "http", typed_config: manager({ route_config: {}, http_filters: [...filters, ROUTER_FILTER] }) }],
  };
  return bytesOf(LISTENER, {
    name: "inbound",
    address: { socket_address: { address: "0.0.0.0", port_value: 29080 } },
    traffic_direction: "INBOUND",
    filter_chains: [chain],
  });
}

function rbac(permission: object, more: object = {}) {
  const policies = { p: { permissions: [permission], principals: [{ any: true }], ...more } };
  return {
    name: "rbac",
    typed_config: { "@type": "envoy.extensions.filters.http.rbac.v3.RBAC", rules: { action: "DENY", policies } },
  };
}

const JUDGE = { grpc_service: { envoy_grpc: { cluster_name: "outbound|9000||judge.shop.svc.cluster.local" } } };

function extAuthz(spec: object) {
  const typed_config = { "@type": "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz", ...spec };
  return { name: "ext_authz", typed_config };
}

function wordsOf(...filters: object[]) {
  return serverWords([readListener(inbound(...filters), "envoy")], "", "cluster.local");
}

describe("a listener that guards a port", () => {
  it.each([
    [
      "a permission of a kind that is not known",
      rbac({ uri_template: { name: "t", typed_config: { type: "x.Y", value: new Uint8Array() } } }),
      "permission is of a kind",
    ],
    ["a rule about :scheme", rbac({ header: { name: ":scheme", exact_match: "https" } }), ":scheme"],
    ["a condition in CEL", rbac({ any: true }, { condition: {} }), "condition in CEL"],
    [
      "a filter that may guard",
      {
        name: "guard",
        typed_config: { type: "envoy.extensions.filters.http.basic_auth.v3.BasicAuth", value: new Uint8Array() },
      },
      "keep requests out",
    ],
  ])("is refused for %s", (_, filter, why) => {
    expect(() => readListener(inbound(filter), "envoy")).toThrow(why);
  });

  it("asks whom an ext_authz filter names, about all requests where nothing marks some of them", () => {
    const name = (exact: string) => ({ patterns: [{ exact, ignore_case: true }] });
    const { security } = wordsOf(
      extAuthz({
        http_service: {
          server_uri: { uri: "http://x", cluster: "outbound|8000||judge.shop.svc.cluster.local", timeout: "0.5s" },
          path_prefix: "/check",
          authorization_request: { headers_to_add: [{ key: "x-from", value: "mesh" }] },
          authorization_response: {
            allowed_upstream_headers: { patterns: [{ prefix: "x-user-" }] },
            allowed_client_headers: name("X-Why"),
          },
        },
        ...{
          failure_mode_allow: true,
          allowed_headers: name("cookie"),
          status_on_error: { code: "ServiceUnavailable" },
        },
        with_request_body: { max_request_bytes: 1024, allow_partial_message: true },
      }),
    );
    const asked = security.access.custom(request({}));
    expect(security.authorizers.get(asked?.provider ?? "")).toMatchObject({
      ...{ protocol: "http", host: "judge.shop.svc.cluster.local", port: 8000, timeoutMs: 500, pathPrefix: "/check" },
      ...{ failOpen: true, statusOnError: 503, includeRequestHeaders: ["cookie"], refusal: "" },
      ...{ additionalHeaders: [["x-from", "mesh"]], headersToUpstreamOnAllow: ["x-user-*"] },
      ...{ headersToDownstreamOnDeny: ["x-why"], body: { maxBytes: 1024, allowPartial: true } },
    });
  });

  it.each([
    ["a cluster that is no service", { grpc_service: { envoy_grpc: { cluster_name: "judge" } } }, "names no service"],
    ["a share of requests", { ...JUDGE, filter_enabled: { default_value: { numerator: 50 } } }, "share of requests"],
    ["headers that must be kept from it", { ...JUDGE, disallowed_headers: {} }, "disallowed_headers"],
    ["metadata of others", { ...JUDGE, filter_enabled_metadata: { path: [{ key: "mine" }] } }, "by metadata"],
  ])("denies what an authorizer should judge: %s", (_, spec, why) => {
    const { access, authorizers } = wordsOf(extAuthz(spec)).security;
    expect([access.custom(request({}))?.refusal, authorizers.size]).toEqual([expect.stringContaining(why), 0]);
  });

  it("denies where several authorizers are asked", () => {
    const { access } = wordsOf(extAuthz(JUDGE), { ...extAuthz(JUDGE), name: "second" }).security;
    expect(access.custom(request({}))?.refusal).toContain("several");
  });

  it("denies all where nothing was told that had to be", () => {
    const { access } = serverWords([], "no listener came", "cluster.local").security;
    expect(access.decide(request({}))).toMatchObject({ allowed: false, reason: "no listener came" });
    expect(access.decide({ ...request({}), http: undefined }).allowed).toBe(false);
  });
});
