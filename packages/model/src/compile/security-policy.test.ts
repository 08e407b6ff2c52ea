import { describe, expect, it } from "vitest";
import type { Resource } from "../resource.js";
import { CLIENT, meshConfig, resource, snapshotOf } from "./fixture.test.helper.js";

const peer = (name: string, spec: string, created?: string) =>
  resource("PeerAuthentication", name, spec, created === undefined ? "" : `creationTimestamp: "${created}"`);
const tokens = (name: string, spec: string) => resource("RequestAuthentication", name, spec);

/** `STRICT by ns/name spec.mtls.mode`, then the same of each port. */
function modes(resources: readonly Resource[], labels: Readonly<Record<string, string>> = CLIENT.labels): string {
  const { peer } = snapshotOf(resources, [], { client: { ...CLIENT, labels } }).security;
  const parts = [["", peer] as const, ...[...peer.ports].map(([port, mode]) => [`${port}: `, mode] as const)];
  return parts
    .map(([start, { mode, source }]) => {
      if (source === null) return `${start}${mode}`;
      return `${start}${mode} by ${source.resource.namespace}/${source.resource.name} ${source.path}`;
    })
    .join(", ");
}

describe("PeerAuthentication", () => {
  const MESH = peer("istio-system/all", "{mtls: {mode: STRICT}}");

  it.each([
    ["nothing", [], "PERMISSIVE"],
    ["the mesh's", [MESH], "STRICT by istio-system/all spec.mtls.mode"],
    ["the namespace's", [MESH, peer("ns", "{mtls: {mode: DISABLE}}")], "DISABLE by shop/ns spec.mtls.mode"],
    ["the mesh's, where the namespace leaves it", [MESH, peer("ns", "{mtls: {mode: UNSET}}")], modes([MESH])],
    ["the mesh's, where the namespace says nothing", [MESH, peer("ns", "{}")], modes([MESH])],
    ["none of another namespace", [peer("back/ns", "{mtls: {mode: STRICT}}")], "PERMISSIVE"],
    [
      "the workload's",
      [
        MESH,
        peer("ns", "{mtls: {mode: DISABLE}}"),
        peer("w", "{selector: {matchLabels: {app: web}}, mtls: {mode: PERMISSIVE}}"),
      ],
      "PERMISSIVE by shop/w spec.mtls.mode",
    ],
    [
      "the namespace's, where the workload's means another",
      [peer("ns", "{mtls: {mode: DISABLE}}"), peer("w", "{selector: {matchLabels: {app: db}}, mtls: {mode: STRICT}}")],
      "DISABLE by shop/ns spec.mtls.mode",
    ],
    [
      "none of the root namespace that selects",
      [peer("istio-system/w", "{selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}}")],
      "PERMISSIVE",
    ],
    [
      "a selector without labels as none",
      [peer("w", "{selector: {}, mtls: {mode: STRICT}}")],
      "STRICT by shop/w spec.mtls.mode",
    ],
    [
      "ports of the workload's, which inherit where they are UNSET",
      [
        MESH,
        peer(
          "w",
          '{selector: {matchLabels: {app: web}}, portLevelMtls: {"8080": {mode: DISABLE}, "9090": {mode: UNSET}, "9091": {}}}',
        ),
      ],
      'STRICT by istio-system/all spec.mtls.mode, 8080: DISABLE by shop/w spec.portLevelMtls["8080"].mode',
    ],
    [
      "the oldest of a scope, and no part of the others",
      [
        peer(
          "young",
          '{selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}, portLevelMtls: {"8080": {mode: STRICT}}}',
          "2026-02-01T00:00:00Z",
        ),
        peer("old", "{selector: {matchLabels: {}}, mtls: {mode: DISABLE}}", "2026-01-01T00:00:00Z"),
        peer("older", "{selector: {matchLabels: {app: web}}, mtls: {mode: PERMISSIVE}}", "2025-01-01T00:00:00Z"),
      ],
      "PERMISSIVE by shop/older spec.mtls.mode",
    ],
  ])("takes %s", (_, resources, expected) => {
    expect(modes(resources)).toBe(expected);
  });
});

describe("RequestAuthentication", () => {
  it("joins the rules of all that mean the workload, in order of issuer", () => {
    const { jwt } = snapshotOf([
      tokens("b", "{jwtRules: [{issuer: z}, {issuer: b, presence: REQUIRED}]}"),
      tokens("istio-system/a", "{selector: {matchLabels: {app: web}}, jwtRules: [{issuer: c}]}"),
      tokens("istio-system/other", "{selector: {matchLabels: {app: db}}, jwtRules: [{issuer: d}]}"),
      tokens("back/a", "{jwtRules: [{issuer: e}]}"),
      tokens(
        "gateway",
        "{targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, name: g}], jwtRules: [{issuer: f}]}",
      ),
    ]).security;
    expect(jwt.map(({ issuer, required, resource }) => [issuer, required, resource.path])).toEqual([
      ["b", true, "spec.jwtRules[1]"],
      ["c", false, "spec.jwtRules[0]"],
      ["z", false, "spec.jwtRules[0]"],
    ]);
  });

  it("has Istio's defaults, and every field of a rule", () => {
    const full = `{issuer: i, audiences: [a], jwksUri: "https://i/k", fromHeaders: [{name: X-Token, prefix: "T "}], fromCookies: [c],
      forwardOriginalToken: true, outputPayloadToHeader: x-p, outputClaimToHeaders: [{header: x-sub, claim: a.sub}],
      spaceDelimitedClaims: [roles], timeout: 1s}`;
    const { jwt } = snapshotOf([tokens("a", `{jwtRules: [{issuer: a, jwks: '{"keys":[]}'}, ${full}]}`)]).security;
    expect(jwt[0]).toMatchObject({
      audiences: [],
      jwks: '{"keys":[]}',
      jwksUri: "",
      places: { headers: [{ name: "Authorization", prefix: "Bearer " }], params: ["access_token"], cookies: [] },
      forwardsToken: false,
      timeoutMs: 5_000,
    });
    expect(jwt[1]).toMatchObject({
      audiences: ["a"],
      jwksUri: "https://i/k",
      places: { headers: [{ name: "X-Token", prefix: "T " }], params: [], cookies: ["c"] },
      forwardsToken: true,
      payloadHeader: "x-p",
      claimHeaders: [{ header: "x-sub", claim: "a.sub" }],
      spaceDelimited: ["roles"],
      timeoutMs: 1_000,
    });
  });
});

describe("paths without case", () => {
  const CASE = '{inmesh.dev/ignore-path-case: "true"}';
  const policy = (name: string, spec = "{}", annotations = CASE) =>
    resource("AuthorizationPolicy", name, spec, `annotations: ${annotations}`);
  const namespace = (name: string) => resource("Namespace", `${name}/${name}`, "{}", `annotations: ${CASE}`);

  it.each([
    [true, policy("a")],
    [true, policy("istio-system/a", "{selector: {matchLabels: {app: web}}}")],
    [false, policy("a", "{selector: {matchLabels: {app: db}}}")],
    [false, policy("back/a")],
    [false, policy("a", "{}", '{inmesh.dev/ignore-path-case: "false"}')],
    [true, namespace("shop")],
    [true, namespace("istio-system")],
    [false, namespace("back")],
  ])("are %s by an annotation of what speaks about the workload", (expected, document) => {
    const first = snapshotOf([document]);
    expect(first.security.ignoresPathCase).toBe(expected);
    expect(snapshotOf([document, namespace("other")], [], { version: 2 }, first).security).toBe(first.security);
  });
});

describe("the security of a process", () => {
  const STRICT = peer("ns", "{mtls: {mode: STRICT}}");
  const OFF = resource("MeshMode", "istio-system/off", '{mode: "off"}');

  it("holds in every mode, and is the same object while nothing in it changes", () => {
    const first = snapshotOf([STRICT]);
    const off = snapshotOf([STRICT, OFF, peer("back/ns", "{mtls: {mode: DISABLE}}")], [], { version: 2 }, first);
    expect([off.mode, off.security.peer.mode]).toEqual(["off", "STRICT"]);
    expect(off.security).toBe(first.security);
    expect(off.withPolicy?.security).toBe(first.security);
    const connect = snapshotOf([STRICT, meshConfig("connectTimeout: 3s")], [], { version: 3 }, off);
    expect(connect.security).toBe(first.security);
    const aliases = snapshotOf([STRICT, meshConfig("trustDomainAliases: [old.local]")], [], { version: 4 }, connect);
    expect(aliases.security.trustDomains).toEqual(["cluster.local", "old.local"]);
    expect(aliases.security).not.toBe(first.security);
    expect(snapshotOf([], [], { version: 5 }, aliases).security.peer.mode).toBe("PERMISSIVE");
  });

  it.each([
    ["", { paths: "BASE", trustedProxies: 0, forwardedClientCert: "SANITIZE_SET", minTlsVersion: "TLSv1.2" }],
    ["pathNormalization: {normalization: DEFAULT}", { paths: "BASE" }],
    ["pathNormalization: {normalization: NONE}", { paths: "NONE" }],
    ["pathNormalization: {normalization: DECODE_AND_MERGE_SLASHES}", { paths: "DECODE_AND_MERGE_SLASHES" }],
    ["meshMTLS: {minProtocolVersion: TLSV1_3}", { minTlsVersion: "TLSv1.3" }],
    ["meshMTLS: {minProtocolVersion: TLS_AUTO}", { minTlsVersion: "TLSv1.2" }],
    ["defaultConfig: {gatewayTopology: {numTrustedProxies: 2}}", { trustedProxies: 2 }],
    ["defaultConfig: {gatewayTopology: {forwardClientCertDetails: SANITIZE}}", { forwardedClientCert: "SANITIZE" }],
    [
      "defaultConfig: {gatewayTopology: {forwardClientCertDetails: SANITIZE}, proxyHeaders: {forwardedClientCert: APPEND_FORWARD}}",
      { forwardedClientCert: "APPEND_FORWARD" },
    ],
    ["trustDomain: TD.local\ntrustDomainAliases: [Old.local, td.local]", { trustDomains: ["td.local", "old.local"] }],
  ])("takes of MeshConfig {%s}", (fields, expected) => {
    expect(snapshotOf(fields === "" ? [] : [meshConfig(fields)]).security).toMatchObject(expected);
  });
});
