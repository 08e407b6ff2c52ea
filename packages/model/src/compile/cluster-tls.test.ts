import { describe, expect, it } from "vitest";
import { parseDocuments } from "../document/parse-documents.js";
import { type ClientTls, PLAINTEXT } from "../snapshot/client-tls.js";
import { validateDocument } from "../validate/validate-document.js";
import { compile } from "./compile.js";

const RULE = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: pay, namespace: shop }
spec:
  host: pay
  trafficPolicy:
    tls: { mode: ISTIO_MUTUAL }
    portLevelSettings: [{ port: { number: 8080 }, tls: { mode: DISABLE } }]
  subsets: [{ name: plain, labels: {}, trafficPolicy: { tls: { mode: DISABLE } } }]
`;

const OFF = `---
apiVersion: inmesh.dev/v1alpha1
kind: MeshMode
metadata: { name: off, namespace: istio-system }
spec: { mode: "off" }
`;

function tlsOf(yaml: string, cluster: string): ClientTls | undefined {
  const { documents } = parseDocuments(yaml, { file: "rule.yaml", namespace: "shop" });
  const snapshot = compile({
    resources: documents.flatMap((document) => validateDocument(document).resource ?? []),
    workloads: [
      {
        name: "pay-1",
        namespace: "shop",
        service: "pay",
        address: "127.0.0.1",
        ports: [{ number: 8080, name: "http" }],
        labels: {},
        weight: 1,
        healthy: true,
      },
    ],
    client: { namespace: "shop", service: "web", labels: {} },
    problems: [],
    version: 1,
  });
  return snapshot.cluster(cluster)?.policy.tls;
}

describe("the TLS mode of a cluster", () => {
  it.each([
    ["outbound|80||pay.shop.svc.cluster.local", "ISTIO_MUTUAL"],
    ["outbound|8080||pay.shop.svc.cluster.local", "DISABLE"],
    ["outbound|80|plain|pay.shop.svc.cluster.local", "DISABLE"],
  ])("of %s is %s", (cluster, mode) => {
    expect(tlsOf(RULE, cluster)?.mode).toBe(mode);
  });

  it("is up to the endpoint where no rule asks for it", () => {
    const tls = tlsOf("", "outbound|80||pay.shop.svc.cluster.local");
    expect(tls).toEqual({ ...PLAINTEXT, auto: true, identities: ["spiffe://cluster.local/ns/shop/sa/pay"] });
  });

  it("stays when policy is switched off, which must not open a door", () => {
    expect(tlsOf(RULE + OFF, "outbound|80||pay.shop.svc.cluster.local")).toMatchObject({
      mode: "ISTIO_MUTUAL",
      source: { resource: { kind: "DestinationRule", namespace: "shop", name: "pay" }, path: "spec.trafficPolicy.tls" },
    });
  });
});

const CLOUD = "outbound|80||cloud.test";

/** A ServiceEntry with such names, and a rule with such a block. */
function cloud(tls: string, names: readonly string[] = [], more = ""): string {
  return `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: cloud, namespace: shop }
spec: { hosts: [cloud.test], ports: [{ number: 80, name: http, protocol: HTTP }, { number: 81, name: b, protocol: HTTP }], subjectAltNames: [${names.join(", ")}] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: cloud, namespace: shop }
spec:
  host: cloud.test
  trafficPolicy: { tls: {${tls}} }
${more}`;
}

describe("the TLS block of a cluster", () => {
  // What Envoy 1.40 did under istiod 1.26, but for an `sni` without names: there it took any certificate of a known CA.
  it.each([
    ["mode: SIMPLE", [], { sni: "", subjectAltNames: [], verifiesServerName: true }],
    ["mode: SIMPLE, sni: b.test", [], { sni: "b.test", subjectAltNames: [], verifiesServerName: true }],
    ["mode: SIMPLE, subjectAltNames: [a.test]", [], { subjectAltNames: ["a.test"], verifiesServerName: false }],
    ["mode: SIMPLE, sni: b, subjectAltNames: [a]", [], { sni: "b", subjectAltNames: ["a"], verifiesServerName: false }],
    ["mode: SIMPLE", ["e.test"], { subjectAltNames: ["e.test"], verifiesServerName: true }],
    ["mode: SIMPLE, sni: b.test", ["e.test"], { subjectAltNames: ["e.test"], verifiesServerName: false }],
    ["mode: SIMPLE, subjectAltNames: [a]", ["e.test"], { subjectAltNames: ["a"], verifiesServerName: false }],
    [
      "mode: SIMPLE, insecureSkipVerify: true",
      ["e.test"],
      { insecureSkipVerify: true, subjectAltNames: [], verifiesServerName: false },
    ],
    ["mode: SIMPLE, caCertificates: /ca.pem, caCrl: /crl.pem", [], { caCertificates: "/ca.pem", caCrl: "/crl.pem" }],
    ["mode: SIMPLE, caCertificates: system", [], { caCertificates: "" }],
  ] as const)("verifies by {%s} and the entry's names %j", (tls, names, expected) => {
    expect(tlsOf(cloud(tls, names), CLOUD)).toMatchObject(expected);
  });

  it.each([
    ["mode: MUTUAL, credentialName: secret-1", /^credentialName "secret-1"/],
    ["mode: SIMPLE, credentialName: secret-1", /^credentialName "secret-1"/],
  ])("refuses {%s}", (tls, why) => {
    expect(tlsOf(cloud(tls), CLOUD)?.refusal).toMatch(why);
  });

  it.each([
    ["mode: MUTUAL, clientCertificate: /c, privateKey: /k", { clientCertificate: "/c", privateKey: "/k" }],
    ["mode: ISTIO_MUTUAL", { identities: ["spiffe://cluster.local/ns/shop/sa/cloud"], subjectAltNames: [] }],
    ["mode: ISTIO_MUTUAL, sni: s, subjectAltNames: [spiffe://x/y]", { sni: "s", identities: ["spiffe://x/y"] }],
  ])("shows who calls by {%s}", (tls, expected) => {
    expect(tlsOf(cloud(tls), CLOUD)).toMatchObject({ ...expected, refusal: "" });
  });

  it("says where it is written, of a port, a subset, and a port of a subset", () => {
    const yaml = cloud(
      "mode: SIMPLE",
      [],
      `  subsets:
    - { name: v1, trafficPolicy: { tls: { mode: SIMPLE, sni: v1 } } }
    - { name: v2, trafficPolicy: { portLevelSettings: [{ port: { number: 81 }, tls: { mode: SIMPLE, sni: v2 } }] } }
`,
    ).replace(
      "tls: {mode: SIMPLE}",
      "tls: {mode: SIMPLE}, portLevelSettings: [{port: {number: 81}, tls: {mode: SIMPLE, sni: p}}]",
    );
    const told = (port: number, subset: string) => {
      const tls = tlsOf(yaml, `outbound|${port}|${subset}|cloud.test`);
      return [tls?.sni, tls?.source?.path];
    };
    expect([told(80, ""), told(81, ""), told(80, "v1"), told(81, "v1"), told(80, "v2"), told(81, "v2")]).toEqual([
      ["", "spec.trafficPolicy.tls"],
      ["p", "spec.trafficPolicy.portLevelSettings[0].tls"],
      ["v1", "spec.subsets[0].trafficPolicy.tls"],
      ["v1", "spec.subsets[0].trafficPolicy.tls"],
      ["", "spec.trafficPolicy.tls"],
      ["v2", "spec.subsets[1].trafficPolicy.portLevelSettings[0].tls"],
    ]);
  });

  it("is none where a port's entry names none: nothing is inherited", () => {
    const yaml = cloud("mode: SIMPLE").replace(
      "tls: {mode: SIMPLE}",
      "tls: {mode: SIMPLE}, portLevelSettings: [{port: {number: 81}, loadBalancer: {simple: RANDOM}}]",
    );
    expect(tlsOf(yaml, "outbound|81||cloud.test")).toBe(PLAINTEXT);
  });
});
