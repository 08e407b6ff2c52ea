import { describe, expect, it } from "vitest";
import type { Resource } from "../resource.js";
import type { Endpoint, Workload } from "../snapshot/workload.js";
import { lease, meshConfig, resource, snapshotOf } from "./fixture.test.helper.js";

const PAY = "outbound|80||pay.shop.svc.cluster.local";
const ISTIO = "{security.istio.io/tlsMode: istio}";
const own = (account: string, domain = "cluster.local") => `spiffe://${domain}/ns/shop/sa/${account}`;

const peer = (name: string, mode: string, more = "") =>
  resource("PeerAuthentication", name, `{${more}mtls: {mode: ${mode}}}`);
const rule = (tls: string) => resource("DestinationRule", "pay", `{host: pay, trafficPolicy: {tls: ${tls}}}`);
const entry = (spec: string, location = "MESH_INTERNAL") =>
  resource(
    "ServiceEntry",
    "pay",
    `{hosts: [pay.shop.svc.cluster.local], ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC, location: ${location}, ${spec}}`,
  );
const service = (spec: string, annotations = "{}") =>
  resource("Service", "pay", `{ports: [{port: 80, name: http}], ${spec}}`, `annotations: ${annotations}`);
const workloadEntry = (name: string, spec: string) => resource("WorkloadEntry", name, spec);

/** As others registered it, in Consul: nothing that it says of itself counts. */
const foreign = (address: string, part: Partial<Workload> = {}): Workload =>
  lease("pay", 3000, { name: address, address, ...part });
const member = (address: string, part: Partial<Workload> = {}): Workload => foreign(address, { member: true, ...part });

const tlsOf = (resources: readonly Resource[], workloads = [member("10.0.0.1")]) => {
  const found = snapshotOf(resources, workloads).cluster(PAY);
  if (found === undefined) throw new Error("no cluster");
  const { mode, auto = false, strict = false } = found.policy.tls;
  return auto ? `auto${strict ? ", strict" : ""}` : mode;
};

/** Ids of the endpoints that are called over TLS, and in parentheses of those that are not. */
function membersOf(resources: readonly Resource[], workloads: readonly Workload[]): string {
  const snapshot = snapshotOf(resources, workloads);
  const cluster = snapshot.cluster(PAY);
  if (cluster === undefined) throw new Error("no cluster");
  const text = ({ address, member = false }: Endpoint) => (member ? address : `(${address})`);
  return snapshot.endpoints(cluster).endpoints.map(text).join(" ");
}

function identitiesOf(resources: readonly Resource[], workloads = [member("10.0.0.1")]): readonly string[] {
  return snapshotOf(resources, workloads).cluster(PAY)?.policy.tls.identities ?? [];
}

describe("auto mTLS", () => {
  const MESH_STRICT = peer("istio-system/all", "STRICT");

  it.each([
    ["auto", []],
    ["auto", [peer("back/all", "STRICT")]],
    ["auto, strict", [MESH_STRICT]],
    ["auto, strict", [peer("ns", "STRICT")]],
    ["auto", [MESH_STRICT, peer("ns", "PERMISSIVE")]],
    ["DISABLE", [MESH_STRICT, peer("ns", "DISABLE")]],
    ["DISABLE", [peer("istio-system/all", "DISABLE")]],
    // What a single workload asks for is not looked at, as in Istio.
    ["auto", [peer("w", "DISABLE", "selector: {matchLabels: {app: pay}}, ")]],
    ["DISABLE", [MESH_STRICT, meshConfig("enableAutoMtls: false")]],
    ["auto", [meshConfig("enableAutoMtls: true")]],
    ["DISABLE", [rule("{mode: DISABLE}"), MESH_STRICT]],
    ["DISABLE", [rule("{}"), MESH_STRICT]],
    ["ISTIO_MUTUAL", [rule("{mode: ISTIO_MUTUAL}"), peer("ns", "DISABLE")]],
    ["DISABLE", [entry("endpoints: [{address: 10.0.0.2}]", "MESH_EXTERNAL"), MESH_STRICT]],
    ["auto, strict", [entry("endpoints: [{address: 10.0.0.2}]"), MESH_STRICT]],
    ["auto", [service("selector: {app: pay}")]],
    ["DISABLE", [service("type: ExternalName, externalName: pay.example.com"), MESH_STRICT]],
  ] as const)("is %s under %j", (expected, resources) => {
    expect(tlsOf(resources)).toBe(expected);
  });

  it.each(["off", "observe"])("stays in mode %s", (mode) => {
    expect(tlsOf([MESH_STRICT, resource("MeshMode", "istio-system/m", `{mode: "${mode}"}`)])).toBe("auto, strict");
  });

  it("keeps a cluster and its endpoints while what concerns them stays", () => {
    const workloads = [member("10.0.0.1")];
    const first = snapshotOf([peer("ns", "PERMISSIVE")], workloads);
    const cluster = first.cluster(PAY)!; // there is a lease
    const endpoints = first.endpoints(cluster);
    const second = snapshotOf([peer("other", "UNSET"), peer("back/all", "STRICT")], workloads, { version: 2 }, first);
    expect(second.cluster(PAY)).toBe(cluster);
    expect(second.endpoints(cluster)).toBe(endpoints);
    const third = snapshotOf([peer("ns", "STRICT")], workloads, { version: 3 }, second);
    expect(third.cluster(PAY)?.policy.tls).toMatchObject({
      strict: true,
      source: { resource: { kind: "PeerAuthentication", namespace: "shop", name: "ns" }, path: "spec.mtls.mode" },
    });
    const strict = third.cluster(PAY);
    const again = [peer("ns", "STRICT", "selector: {}, "), peer("back/all", "DISABLE")];
    expect(snapshotOf(again, workloads, { version: 4 }, third).cluster(PAY)).toBe(strict);
  });
});

describe("members", () => {
  it("are processes of the mesh, whatever their labels say", () => {
    expect(membersOf([], [member("10.0.0.1", { labels: { "security.istio.io/tlsMode": "disabled" } })])).toBe(
      "10.0.0.1",
    );
  });

  it("are workloads of documents that say so", () => {
    const entries = [
      workloadEntry("a", `{address: 10.0.0.1, labels: {app: pay, security.istio.io/tlsMode: istio}}`),
      workloadEntry("b", "{address: 10.0.0.2, labels: {app: pay}}"),
    ];
    expect(membersOf([service("selector: {app: pay}"), ...entries], [])).toBe("10.0.0.1 (10.0.0.2)");
    const endpoints = `endpoints: [{address: 10.0.0.1, labels: ${ISTIO}}, {address: 10.0.0.2}]`;
    expect(membersOf([entry(endpoints)], [])).toBe("10.0.0.1 (10.0.0.2)");
  });

  it("are not instances that others registered, whatever their labels say", () => {
    const says = foreign("10.0.0.1", { labels: { "security.istio.io/tlsMode": "istio" } });
    expect(membersOf([], [says])).toBe("(10.0.0.1)");
  });

  it("are those, too, where the service has processes of the mesh: nobody talks a caller down to plaintext", () => {
    expect(membersOf([], [foreign("10.0.0.1"), member("10.0.0.2")])).toBe("10.0.0.1 10.0.0.2");
    expect(membersOf([], [foreign("10.0.0.1"), member("10.0.0.2", { healthy: false })])).toBe("10.0.0.1");
  });

  it("are all where PeerAuthentication is STRICT for the namespace", () => {
    const endpoints = entry("endpoints: [{address: 10.0.0.1}]");
    expect(membersOf([peer("ns", "STRICT"), endpoints], [])).toBe("10.0.0.1");
    expect(membersOf([peer("ns", "STRICT")], [foreign("10.0.0.1")])).toBe("10.0.0.1");
  });

  it("make an endpoint a new one when it becomes one", () => {
    const first = snapshotOf([], [foreign("10.0.0.1")]);
    const before = first.endpoints(first.cluster(PAY)!).endpoints[0];
    const second = snapshotOf([peer("ns", "STRICT")], [foreign("10.0.0.1")], { version: 2 }, first);
    const after = second.endpoints(second.cluster(PAY)!).endpoints[0];
    expect([before?.member, after?.member]).toEqual([undefined, true]);
  });
});

describe("secure naming", () => {
  it.each([
    ["the service's own name", [], [own("pay")]],
    [
      "that in every trust domain",
      [meshConfig("trustDomain: td\ntrustDomainAliases: [old]")],
      [own("pay", "td"), own("pay", "old")],
    ],
    [
      "accounts of a Service's annotation",
      [service("selector: {app: pay}", '{inmesh.dev/service-accounts: "pay-canary, back/pay"}')],
      [own("pay"), "spiffe://cluster.local/ns/back/sa/pay", own("pay-canary")],
    ],
    [
      "accounts of WorkloadEntries",
      [
        service("selector: {app: pay}"),
        workloadEntry("a", "{address: 10.0.0.9, serviceAccount: vm, labels: {app: pay}}"),
      ],
      [own("pay"), own("vm")],
    ],
    [
      "accounts of WorkloadGroups that are selected",
      [
        service("selector: {app: pay}"),
        resource("WorkloadGroup", "g", "{metadata: {labels: {app: pay}}, template: {serviceAccount: group}}"),
        resource("WorkloadGroup", "other", "{metadata: {labels: {app: db}}, template: {serviceAccount: db}}"),
        resource("WorkloadGroup", "back/g", "{metadata: {labels: {app: pay}}, template: {serviceAccount: back}}"),
      ],
      [own("pay"), own("group")],
    ],
    [
      "accounts of a ServiceEntry's endpoints",
      [entry("endpoints: [{address: 10.0.0.2, serviceAccount: b}, {address: 10.0.0.3, serviceAccount: a}]")],
      [own("pay"), own("a"), own("b")],
    ],
    [
      "the ServiceEntry's names in their place",
      [entry("subjectAltNames: [spiffe://x/y], endpoints: [{address: 10.0.0.2, serviceAccount: b}]")],
      ["spiffe://x/y"],
    ],
    [
      "the rule's before all",
      [
        entry("subjectAltNames: [spiffe://x/y], endpoints: [{address: 10.0.0.2}]"),
        rule("{mode: ISTIO_MUTUAL, subjectAltNames: [spiffe://x/z]}"),
      ],
      ["spiffe://x/z"],
    ],
    ["the service's under ISTIO_MUTUAL", [rule("{mode: ISTIO_MUTUAL}")], [own("pay")]],
  ] as const)("takes %s", (_, resources, expected) => {
    expect(identitiesOf(resources)).toEqual(expected);
  });

  it("never takes what a process says of its own account", () => {
    const says = member("10.0.0.1", { serviceAccount: "admin", labels: { app: "pay" } });
    for (const resources of [[], [service("selector: {app: pay}")]]) {
      expect(identitiesOf(resources, [says, foreign("10.0.0.2", { serviceAccount: "root" })])).toEqual([own("pay")]);
    }
  });
});
