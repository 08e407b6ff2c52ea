import { describe, expect, it } from "vitest";
import type { Resource } from "../resource.js";
import {
  endpointsOf,
  lease,
  meshConfig,
  request,
  resource,
  sent,
  snapshotOf,
  virtualService,
} from "./fixture.test.helper.js";

const REVIEWS = "reviews.shop.svc.cluster.local";
const OUT = `outbound|80||${REVIEWS}`;

describe("compile, services of leases", () => {
  const workloads = [lease("reviews", 3001), lease("reviews", 3002), lease("back/stock", 4000), lease("lonely", 0)];
  const snapshot = snapshotOf([], workloads);

  it.each([
    ["reviews", 80, OUT],
    ["Reviews", 80, OUT],
    ["reviews.shop", 80, OUT],
    ["reviews.shop.svc", 80, OUT],
    [REVIEWS, 80, OUT],
    [`${REVIEWS}.`, 80, OUT],
    ["reviews", 3001, `outbound|3001||${REVIEWS}`],
    ["reviews", 3999, "unknown"], // nobody listens there: as in Istio, not the mesh's
    ["stock", 80, "unknown"], // a bare name means the caller's own namespace
    ["stock.back", 80, "outbound|80||stock.back.svc.cluster.local"],
    ["lonely", 80, "unknown"], // it only calls
    ["example.com", 80, "unknown"],
  ])("a call to %s:%i goes to %s", (host, port, cluster) => {
    expect(sent(snapshot, host, port)).toBe(cluster);
  });

  it("maps port 80 to each one's first listener and any other port to itself", () => {
    expect(endpointsOf(snapshot, OUT)).toEqual(["10.0.0.1:3001", "10.0.0.1:3002"]);
    expect(endpointsOf(snapshot, `outbound|3002||${REVIEWS}`)).toEqual(["10.0.0.1:3002"]);
    expect(endpointsOf(snapshot, `outbound|3999||${REVIEWS}`)).toEqual(["no cluster"]);
  });

  it("makes one endpoint of workers that share a port, and none of the unhealthy", () => {
    const workers = [lease("reviews", 3001, { name: "w2" }), lease("reviews", 3001, { name: "w1" })];
    const sick = lease("reviews", 3002, { healthy: false });
    const shared = snapshotOf([], [...workers, sick]);
    const cluster = shared.cluster(OUT);
    expect(cluster && shared.endpoints(cluster).endpoints).toMatchObject([
      { id: "10.0.0.1:3001", workloads: ["w1", "w2"] },
    ]);
  });

  it("has the defaults of Istio where no policy speaks", () => {
    const found = snapshot.routes.lookup("reviews", 80)?.find(request("/"));
    expect(found).toMatchObject({ name: "default", resource: null, timeoutMs: 0, retry: { maxAttempts: 3 } });
    expect(snapshot.cluster(OUT)?.policy).toMatchObject({
      loadBalancer: "leastRequest",
      connection: { connectTimeoutMs: 10_000 },
    });
  });
});

describe("compile, declared services", () => {
  const kubernetes = (spec: string) => resource("Service", "reviews", spec);

  it("counts a lease of the Service's name in unless one of its labels denies the selector", () => {
    const service = kubernetes("{selector: {app: reviews, tier: back}, ports: [{port: 80, targetPort: 9080}]}");
    const workloads = [
      lease("reviews", 3001),
      lease("reviews", 3002, { labels: { tier: "front" } }),
      lease("other", 9080, { labels: { app: "reviews", tier: "back" } }),
      lease("other", 3003, { labels: { app: "reviews" } }),
    ];
    expect(endpointsOf(snapshotOf([service], workloads), OUT)).toEqual(["10.0.0.1:3001", "10.0.0.1:9080"]);
  });

  it.each([
    ["a target port by number", "{port: 80, targetPort: 9080}", [9080, 3000], 9080],
    ["a target port by name", "{port: 80, targetPort: web}", [3000, 9080], 9080],
    ["the same number", "{port: 80}", [3000, 80], 80],
    ["else the first listener", "{port: 80, targetPort: 7}", [3000, 9080], 3000],
  ])("finds the workload's port: %s", (_, port, numbers, expected) => {
    const names = ["http", "web"];
    const ports = numbers.map((number, index) => ({ number, name: names[index] ?? "" }));
    const snapshot = snapshotOf([kubernetes(`{ports: [${port}]}`)], [lease("reviews", 1, { ports })]);
    expect(endpointsOf(snapshot, OUT)).toEqual([`10.0.0.1:${expected}`]);
  });

  it("answers at a service's virtual address, and passes a port by that it does not have", () => {
    const snapshot = snapshotOf([kubernetes("{clusterIP: 10.96.0.7, ports: [{port: 80}]}")]);
    expect([sent(snapshot, "10.96.0.7"), sent(snapshot, "reviews", 81)]).toEqual([OUT, "unknown"]);
  });

  it("is ruled on port 80 by a VirtualService that names it, even without such a port", () => {
    const service = kubernetes("{ports: [{port: 9080, name: http}]}");
    const rules = (host: string, port = "") =>
      virtualService("vs", host, `{route: [{destination: {host: reviews, port: {number: 9080}}}]${port}}`);
    const to = `outbound|9080||${REVIEWS}`;
    expect([80, 81, 9080].map((port) => sent(snapshotOf([service, rules("reviews")]), "reviews", port))).toEqual([
      to,
      "unknown",
      to,
    ]);
    expect(sent(snapshotOf([service]), "reviews")).toBe("unknown");
    expect(sent(snapshotOf([service, rules("*.shop.svc.cluster.local")]), "reviews")).toBe("unknown");
    expect(sent(snapshotOf([service, rules("reviews", ", match: [{port: 9080}]")]), "reviews")).toBe("unknown");
    const names = snapshotOf([service, rules("reviews")])
      .routes.all()
      .map(({ name }) => name);
    expect(names).toEqual([`${REVIEWS}:80`, `${REVIEWS}:9080`]);
  });

  const entry = (name: string, more: string, metadata = "") =>
    resource("ServiceEntry", name, `{ports: [{number: 80, name: http, protocol: HTTP}], ${more}}`, metadata);

  it("takes ServiceEntries by their own names only, wildcards by what they cover", () => {
    const snapshot = snapshotOf([
      entry("api", "hosts: [api.example.com], resolution: DNS, location: MESH_EXTERNAL"),
      entry("all", 'hosts: ["*.example.com"], resolution: NONE, location: MESH_EXTERNAL'),
    ]);
    expect(sent(snapshot, "api.example.com")).toBe("outbound|80||api.example.com");
    expect(endpointsOf(snapshot, "outbound|80||api.example.com")).toEqual(["api.example.com:80"]);
    expect(sent(snapshot, "x.y.example.com")).toBe("outbound|80||*.example.com");
    expect(snapshot.cluster("outbound|80||*.example.com")?.policy.loadBalancer).toBe("passThrough");
    expect(sent(snapshot, "example.com")).toBe("unknown");
  });

  it("lets a Service win over a ServiceEntry, the own namespace over another, the older over the younger", () => {
    const hosts = `hosts: [${REVIEWS}], resolution: STATIC, endpoints: [{address: 10.1.1.1}]`;
    const newer = entry("a", hosts, "creationTimestamp: '2026-01-02T00:00:00Z'");
    const older = entry("b", hosts, "creationTimestamp: '2026-01-01T00:00:00Z'");
    const foreign = entry("back/c", hosts, "creationTimestamp: '2025-01-01T00:00:00Z'");
    const declaredBy = (...resources: (typeof newer)[]) => snapshotOf(resources).services.get(REVIEWS)?.resource;
    expect(declaredBy(newer, older, foreign)).toBe("ServiceEntry/shop/b");
    expect(declaredBy(newer, foreign, kubernetes("{ports: [{port: 80}]}"))).toBe("Service/shop/reviews");
  });

  describe("several ServiceEntries of one namespace for one host", () => {
    const part = (name: string, ports: string, more: string, day: number) =>
      resource(
        "ServiceEntry",
        name,
        `{hosts: [x.example], resolution: STATIC, ports: [${ports}], ${more}}`,
        `creationTimestamp: '2026-01-0${day}T00:00:00Z'`,
      );
    const at = (...addresses: string[]) => `endpoints: [${addresses.map((each) => `{address: ${each}}`).join(", ")}]`;
    const http = "{number: 80, name: http, protocol: HTTP}";
    const admin = "{number: 90, name: admin, protocol: HTTP, targetPort: 9090}";
    const behind = (port: number, ...resources: Resource[]) =>
      endpointsOf(snapshotOf(resources), `outbound|${port}||x.example`);

    it("are one service with the ports of all, each endpoint behind the ports of its own entry", () => {
      const parts = [part("b", `${http}, ${admin}`, at("10.0.0.2"), 2), part("a", http, at("10.0.0.1"), 1)];
      expect(behind(80, ...parts)).toEqual(["10.0.0.1:80", "10.0.0.2:80"]);
      expect(behind(90, ...parts)).toEqual(["10.0.0.2:9090"]);
      expect(snapshotOf(parts).services.get("x.example")).toMatchObject({
        resource: "ServiceEntry/shop/a",
        ports: [{ number: 80 }, { number: 90 }],
      });
    });

    it("keep apart where port names, resolution, visibility or namespace differ: the older one, or the own one, has it", () => {
      const older = part("a", http, at("10.0.0.1"), 1);
      expect(behind(80, older, part("b", http.replace("http,", "web,"), at("10.0.0.2"), 2))).toEqual(["10.0.0.1:80"]);
      expect(behind(80, older, part("b", http, `exportTo: ["."], ${at("10.0.0.2")}`, 2))).toEqual(["10.0.0.1:80"]);
      expect(behind(80, older, part("back/b", http, at("10.0.0.2"), 2))).toEqual(["10.0.0.1:80"]);
      const named = part("b", admin, "", 2);
      const dns = { ...named, spec: { ...(named.spec as object), resolution: "DNS" } };
      expect(behind(90, older, dns)).toEqual(["no cluster"]);
    });

    it("stay the same object, with their endpoints, while they do not change", () => {
      const parts = [part("a", http, at("10.0.0.1"), 1), part("b", http, at("10.0.0.2"), 2)];
      const first = snapshotOf(parts);
      const cluster = first.cluster("outbound|80||x.example")!; // two parts make it
      const set = first.endpoints(cluster);
      const other = entry("other", "hosts: [y.example], resolution: DNS");
      const second = snapshotOf([...parts, other], [], { version: 2 }, first);
      expect(second.cluster("outbound|80||x.example")).toBe(cluster);
      expect(second.endpoints(cluster)).toBe(set);
      const third = snapshotOf([parts[0]!, other], [], { version: 3 }, second); // two of them
      expect(third.endpoints(third.cluster("outbound|80||x.example")!).endpoints.map(({ id }) => id)).toEqual([
        "10.0.0.1:80",
      ]);
    });
  });

  it.each([
    ["everybody by default", "", true],
    ["its own namespace", ', exportTo: ["."]', false],
    ["namespaces by name", ", exportTo: [front]", true],
    ["nobody", ', exportTo: ["~"]', false],
  ])("shows a ServiceEntry to %s", (_, exportTo, seen) => {
    const shared = entry("x", `hosts: [x.example], resolution: DNS${exportTo}`);
    const client = { namespace: "front", service: "site", labels: {} };
    expect(snapshotOf([shared], [], { client }).services.has("x.example")).toBe(seen);
  });

  it("shows it as the mesh's default says, where it says nothing itself", () => {
    const client = { namespace: "front", service: "site", labels: {} };
    const config = meshConfig('{defaultServiceExportTo: ["."]}');
    const seen = (more: string) =>
      snapshotOf([config, entry("x", `hosts: [x.example], resolution: DNS${more}`)], [], { client }).services.has(
        "x.example",
      );
    expect([seen(""), seen(', exportTo: ["*"]')]).toEqual([false, true]);
  });

  it("has every port of an endpoint by name, targetPort or number, and weight 0 for 1", () => {
    const ports =
      "ports: [{number: 80, name: http, protocol: HTTP}, {number: 81, name: admin, protocol: HTTP, targetPort: 8081}]";
    const endpoints =
      "[{address: 10.0.0.1, ports: {http: 8080}, weight: 0}, {address: 10.0.0.2, ports: {admin: 9}, weight: 7}]";
    const listed = resource(
      "ServiceEntry",
      "x",
      `{hosts: [x.example], resolution: STATIC, ${ports}, endpoints: ${endpoints}}`,
    );
    const snapshot = snapshotOf([listed]);
    const at = (port: number) => snapshot.endpoints(snapshot.cluster(`outbound|${port}||x.example`)!).endpoints; // listed
    expect(at(80).map(({ id, weight }) => [id, weight])).toEqual([
      ["10.0.0.1:8080", 1],
      ["10.0.0.2:80", 7],
    ]);
    expect(at(81).map(({ id }) => id)).toEqual(["10.0.0.1:8081", "10.0.0.2:9"]);
  });

  it("sends nobody to a WorkloadEntry that names a network only", () => {
    const selecting = entry("pay", "hosts: [pay.internal], resolution: STATIC, workloadSelector: {labels: {app: pay}}");
    const far = resource("WorkloadEntry", "far", "{network: net2, labels: {app: pay}}");
    const near = resource("WorkloadEntry", "near", "{address: 10.9.9.9, labels: {app: pay}}");
    expect(endpointsOf(snapshotOf([selecting, far, near]), "outbound|80||pay.internal")).toEqual(["10.9.9.9:80"]);
  });

  it("chooses WorkloadEntries and leases by a ServiceEntry's selector, in its namespace", () => {
    const selecting = entry(
      "pay",
      "hosts: [pay.internal], resolution: STATIC, location: MESH_INTERNAL, workloadSelector: {labels: {app: pay}}",
    );
    const workloads = [lease("pay", 80, { labels: { app: "pay" } }), lease("back/pay", 80, { labels: { app: "pay" } })];
    const one = resource("WorkloadEntry", "vm", "{address: 10.9.9.9, ports: {http: 8000}, labels: {app: pay}}");
    expect(endpointsOf(snapshotOf([selecting, one], workloads), "outbound|80||pay.internal")).toEqual([
      "10.0.0.1:80",
      "10.9.9.9:8000",
    ]);
  });
});
