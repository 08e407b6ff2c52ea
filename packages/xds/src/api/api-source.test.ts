import type { RegistryView } from "@inmesh/core";
import { FakeClock } from "@inmesh/core/testing";
import { compile, type Document, type Snapshot, validateDocument } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { assignmentBytes, type TestLocality } from "../client/endpoint/assignment-bytes.test.helper.js";
import { FakeXdsClient } from "../client/fake-xds-client.test.helper.js";
import { CLUSTER } from "../envoy/urls.js";
import { bytesOf } from "../envoy/written.test.helper.js";
import { ApiSource } from "./api-source.js";
import { API_KINDS } from "./kinds.js";
import { onTheWire } from "./on-the-wire.test.helper.js";

const ASSIGNMENTS = "envoy.config.endpoint.v3.ClusterLoadAssignment";

type Written = Parameters<typeof onTheWire>[0];

const LOCALITY = { region: "eu", zone: "eu-a", subZone: "" };

type TestEndpoint = NonNullable<TestLocality["endpoints"]>[number];

function endpoint(address: string, port: number, more: Partial<TestEndpoint> = {}): TestEndpoint {
  return { address, port, ...more };
}

function setup({ secured = false } = {}) {
  const clock = new FakeClock();
  const client = new FakeXdsClient();
  const source = new ApiSource({ client, clock, secured });
  const views: RegistryView[] = [];
  source.watch((view) => views.push(view));
  const held = new Map<string, Written>();
  /** Every kind anew, as istiod's pushes do. */
  const push = (changes: readonly Written[], kinds = API_KINDS): void => {
    for (const document of changes) held.set(`${document.kind} ${document.metadata.name}`, document);
    for (const { kind, url } of kinds) {
      const own = [...held.values()].filter((document) => document.kind === kind);
      const named = own.map((document) => [`shop/${document.metadata.name}`, onTheWire(document).bytes] as const);
      client.answer(url, new Map(named));
    }
  };
  const endpoints = (name: string, ...all: readonly TestEndpoint[]): void => {
    client.answer(
      ASSIGNMENTS,
      new Map([[name, assignmentBytes(name, [{ region: "eu", zone: "eu-a", endpoints: all }])]]),
    );
  };
  const last = (): RegistryView => views.at(-1)!; // asked for once there is one
  return { clock, client, source, views, held, push, endpoints, last };
}

function shop(kind: string, name: string, spec: unknown): Written {
  return { kind, metadata: { name, namespace: "shop" }, spec };
}

const PORTS = [
  { number: 9080, name: "http", protocol: "HTTP" },
  { number: 9090, name: "grpc", protocol: "GRPC" },
];
const REVIEWS = shop("ServiceEntry", "synthetic-reviews", {
  hosts: ["reviews.shop.svc.cluster.local"],
  addresses: ["10.0.0.1"],
  ports: PORTS,
  location: "MESH_INTERNAL",
  resolution: "STATIC",
  workloadSelector: { labels: { app: "reviews" } },
});
const USED = { namespace: "shop", service: "reviews" };

function compiled({ documents, workloads = [], services }: RegistryView): Snapshot {
  const resources = documents.flatMap((document: Document) => validateDocument(document).resource ?? []);
  const client = { namespace: "shop", service: "web", labels: {} };
  return compile({ resources, workloads, client, problems: [], version: 1, ...(services && { services }) }, undefined);
}

function endpointsOf(view: RegistryView, cluster: string): readonly string[] {
  const snapshot = compiled(view);
  const found = snapshot.cluster(cluster);
  return found === undefined ? [] : snapshot.endpoints(found).endpoints.map(({ id }) => id);
}

/** As a sidecar gets it under auto mTLS. */
function sidecarCluster(name: string, names: readonly object[]): Uint8Array {
  const mesh = {
    "@type": "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
    common_tls_context: {
      combined_validation_context: {
        default_validation_context: { match_subject_alt_names: names },
        validation_context_sds_secret_config: { name: "ROOTCA" },
      },
    },
  };
  return bytesOf(CLUSTER, {
    ...{ name, type: "EDS" },
    transport_socket_matches: [
      { name: "tlsMode-istio", match: { tlsMode: "istio" }, transport_socket: { name: "tls", typed_config: mesh } },
    ],
  });
}

describe("ApiSource", () => {
  it("shows nothing before every kind was answered, and then one view for all of them", () => {
    const { clock, views, push, source } = setup();
    push([REVIEWS], API_KINDS.slice(1));
    clock.advance(1_000);
    expect([views.length, source.status.state]).toEqual([0, "connecting"]);
    push([shop("VirtualService", "reviews", { hosts: ["reviews"], http: [{ directResponse: { status: 204 } }] })]);
    clock.advance(1_000);
    expect(views.map(({ documents }) => documents.map(({ key }) => key))).toEqual([
      ["Service/shop/reviews", "VirtualService/shop/reviews"],
    ]);
    expect(source.status.state).toBe("fresh");
  });

  it("takes a kind that is never answered for one without resources, after a while", () => {
    const { clock, views, push } = setup();
    push([REVIEWS], API_KINDS.slice(1));
    clock.advance(16_000);
    expect(views).toHaveLength(1);
  });

  it("keeps the documents that a push tells anew, and drops those it does not tell any more", () => {
    const { clock, push, held, last } = setup();
    push([REVIEWS, shop("VirtualService", "a", { hosts: ["a"], http: [{ directResponse: { status: 204 } }] })]);
    clock.advance(100);
    const [before] = last().documents;
    held.delete("VirtualService a");
    push([]);
    clock.advance(100);
    expect(last().documents).toHaveLength(1);
    expect(last().documents[0]).toBe(before);
  });

  it("keeps the last good version of what it cannot read any more, and says so", () => {
    const { clock, client, push, last } = setup();
    push([shop("AuthorizationPolicy", "none", { action: "DENY", rules: [{}] })]);
    clock.advance(100);
    const [before] = last().documents;
    const { kind, bytes } = onTheWire(shop("AuthorizationPolicy", "none", {}));
    const cut = bytes.subarray(0, bytes.length - 1);
    client.answer(
      kind.url,
      new Map([
        ["shop/none", cut],
        ["shop/other", cut],
      ]),
    );
    clock.advance(100);
    expect(last().documents).toEqual([before]);
    expect(last().problems.map(({ resource, severity }) => `${severity} ${resource}`)).toEqual([
      "error AuthorizationPolicy/shop/none",
      "error AuthorizationPolicy/shop/other",
    ]);
  });

  it("asks for endpoints of what is used alone, and tells of the service at once", () => {
    const { clock, client, source, push, endpoints, last } = setup();
    push([REVIEWS]);
    clock.advance(100);
    expect([last().services, client.asked(ASSIGNMENTS)]).toEqual([[{ ...USED, loaded: false }], []]);
    source.use(USED);
    expect(client.asked(ASSIGNMENTS)).toEqual([
      "outbound|9080||reviews.shop.svc.cluster.local",
      "outbound|9090||reviews.shop.svc.cluster.local",
    ]);
    endpoints("outbound|9080||reviews.shop.svc.cluster.local", endpoint("10.1.0.1", 8080));
    endpoints("outbound|9090||reviews.shop.svc.cluster.local", endpoint("10.1.0.1", 8090, { tlsMode: "istio" }));
    clock.advance(100);
    expect(last().services).toEqual([{ ...USED, loaded: true }]);
    expect(endpointsOf(last(), "outbound|9080||reviews.shop.svc.cluster.local")).toEqual(["10.1.0.1:8080"]);
    expect(endpointsOf(last(), "outbound|9090||reviews.shop.svc.cluster.local")).toEqual(["10.1.0.1:8090"]);
    expect(last().workloads?.[0]).toMatchObject({ locality: LOCALITY, healthy: true, namespace: "shop" });
  });

  it("tells subsets apart, even where several instances share an address, and knows ports that one lacks", () => {
    const { clock, source, push, endpoints, last } = setup();
    const subsets = ["v1", "v2"].map((name) => ({ name, labels: { version: name } }));
    push([REVIEWS, shop("DestinationRule", "reviews", { host: "reviews", subsets })]);
    source.use(USED);
    clock.advance(100);
    const host = "reviews.shop.svc.cluster.local";
    const [one, two] = [endpoint("10.1.0.1", 8080), endpoint("10.1.0.1", 8081)];
    endpoints(`outbound|9080||${host}`, one, two);
    endpoints(`outbound|9080|v1|${host}`, one);
    endpoints(`outbound|9080|v2|${host}`, two);
    for (const subset of ["", "v1"]) endpoints(`outbound|9090|${subset}|${host}`, endpoint("10.1.0.1", 8090));
    endpoints(`outbound|9090|v2|${host}`);
    clock.advance(100);
    const of = (port: number, subset: string) => endpointsOf(last(), `outbound|${port}|${subset}|${host}`);
    expect([of(9080, ""), of(9080, "v1"), of(9080, "v2")]).toEqual([
      ["10.1.0.1:8080", "10.1.0.1:8081"],
      ["10.1.0.1:8080"],
      ["10.1.0.1:8081"],
    ]);
    expect([of(9090, ""), of(9090, "v1"), of(9090, "v2")]).toEqual([["10.1.0.1:8090"], ["10.1.0.1:8090"], []]);
  });

  it("brings a new subset into force with its endpoints, and no later than two seconds without", () => {
    const { clock, source, push, endpoints, views, last } = setup();
    push([REVIEWS]);
    source.use(USED);
    clock.advance(100);
    const host = "reviews.shop.svc.cluster.local";
    for (const port of [9080, 9090]) endpoints(`outbound|${port}||${host}`, endpoint("10.1.0.1", port));
    clock.advance(100);
    const before = views.length;
    push([shop("DestinationRule", "reviews", { host, subsets: [{ name: "v1", labels: { version: "v1" } }] })]);
    clock.advance(1_000);
    expect(views).toHaveLength(before);
    for (const port of [9080, 9090]) endpoints(`outbound|${port}|v1|${host}`, endpoint("10.1.0.1", port));
    clock.advance(20);
    expect(views).toHaveLength(before + 1);
    expect(endpointsOf(last(), `outbound|9080|v1|${host}`)).toEqual(["10.1.0.1:9080"]);
    push([shop("DestinationRule", "more", { host, subsets: [{ name: "v2", labels: { version: "v2" } }] })]);
    clock.advance(2_100);
    expect(views).toHaveLength(before + 2);
    expect(endpointsOf(last(), `outbound|9080||${host}`)).toEqual(["10.1.0.1:9080"]);
  });

  it("keeps workloads that did not change, and shows the others as they are now", () => {
    const { clock, source, push, endpoints, last } = setup();
    push([REVIEWS]);
    source.use(USED);
    clock.advance(100);
    const name = (port: number) => `outbound|${port}||reviews.shop.svc.cluster.local`;
    endpoints(name(9090));
    endpoints(name(9080), endpoint("10.1.0.1", 8080), endpoint("10.1.0.2", 8080));
    clock.advance(100);
    const [stays] = last().workloads ?? [];
    endpoints(name(9080), endpoint("10.1.0.1", 8080), endpoint("10.1.0.2", 8080, { health: "UNHEALTHY" }));
    clock.advance(100);
    expect(last().workloads?.[0]).toBe(stays);
    expect(endpointsOf(last(), name(9080))).toEqual(["10.1.0.1:8080"]);
  });

  it("expects of whoever serves the accounts that a sidecar's cluster names, and nobody else", () => {
    const { clock, client, source, push, endpoints, last } = setup({ secured: true });
    push([REVIEWS]);
    clock.advance(100);
    expect(client.asked(CLUSTER)).toEqual([]); // who calls nobody need not know
    source.use(USED);
    const host = "reviews.shop.svc.cluster.local";
    for (const port of [9080, 9090])
      endpoints(`outbound|${port}||${host}`, endpoint("10.1.0.1", port, { tlsMode: "istio" }));
    clock.advance(100);
    expect(last().services).toEqual([{ ...USED, loaded: false }]);
    const expected = () => compiled(last()).cluster(`outbound|9080||${host}`)?.policy.tls.identities;
    const tell = (...accounts: string[]) => {
      const names = accounts.map((account) => ({ exact: `spiffe://cluster.local/ns/shop/sa/${account}` }));
      client.answer(CLUSTER, new Map([[`outbound|9080||${host}`, sidecarCluster(`outbound|9080||${host}`, names)]]));
      clock.advance(100);
    };
    tell("bob", "alice");
    expect(last().services).toMatchObject([{ loaded: true }]);
    expect(expected()).toEqual(["spiffe://cluster.local/ns/shop/sa/alice", "spiffe://cluster.local/ns/shop/sa/bob"]);
    tell("carol");
    expect(expected()).toEqual(["spiffe://cluster.local/ns/shop/sa/carol"]);
    tell(); // it names nobody: a name like the service's is all there is to go by
    expect(expected()).toEqual(["spiffe://cluster.local/ns/shop/sa/reviews"]);
  });

  it("waits for no clusters of a control plane that has none", () => {
    const { clock, source, push, endpoints, last } = setup({ secured: true });
    push([REVIEWS]);
    source.use(USED);
    clock.advance(100);
    for (const port of [9080, 9090]) endpoints(`outbound|${port}||reviews.shop.svc.cluster.local`);
    clock.advance(6_000);
    expect(last().services).toEqual([{ ...USED, loaded: true }]);
  });

  it("says that it is stale while the stream is gone, and closes the client with itself", async () => {
    const { clock, client, source, push } = setup();
    push([REVIEWS]);
    clock.advance(100);
    client.state("stale", "istiod:15010 refuses the connection");
    expect(source.status).toEqual({ state: "stale", since: 0, reason: "istiod:15010 refuses the connection" });
    await source.close();
    expect(client.closed).toBe(true);
  });
});
