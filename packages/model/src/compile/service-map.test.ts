import { describe, expect, it } from "vitest";
import { endpointsOf, lease, request, resource, sent, snapshotOf } from "./fixture.test.helper.js";

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
