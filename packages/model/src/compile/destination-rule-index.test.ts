import { describe, expect, it } from "vitest";
import { endpointsOf, lease, resource, snapshotOf } from "./fixture.test.helper.js";

const REVIEWS = "reviews.shop.svc.cluster.local";
const subsets = (host = "reviews", name = "reviews", more = "") =>
  resource(
    "DestinationRule",
    name,
    `{host: ${host}, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]${more}}`,
  );

describe("compile, DestinationRule", () => {
  const workloads = [
    lease("reviews", 3001, { labels: { version: "v1" } }),
    lease("reviews", 3002, { labels: { version: "v2" } }),
  ];
  const rule = (name: string, spec: string, metadata = "") => resource("DestinationRule", name, spec, metadata);
  const policy = (resources: ReturnType<typeof rule>[], subset = "", port = 80) =>
    snapshotOf(resources, workloads).cluster(`outbound|${port}|${subset}|${REVIEWS}`)?.policy;
  const balances = (simple: string) => `trafficPolicy: {loadBalancer: {simple: ${simple}}}`;

  it("makes clusters of subsets, and none of a subset nobody defines", () => {
    const snapshot = snapshotOf([subsets()], workloads);
    expect(endpointsOf(snapshot, `outbound|80|v2|${REVIEWS}`)).toEqual(["10.0.0.1:3002"]);
    expect(endpointsOf(snapshot, `outbound|80|v3|${REVIEWS}`)).toEqual(["no cluster"]);
  });

  it("looks in the client's namespace, the service's, the root; the first level wins even by a wildcard", () => {
    const own = rule("a", `{host: "*.shop.svc.cluster.local", ${balances("RANDOM")}}`);
    const back = "ratings.back.svc.cluster.local";
    const theirs = rule("back/b", `{host: ratings, ${balances("ROUND_ROBIN")}}`);
    const root = rule("istio-system/c", `{host: "*", ${balances("PASSTHROUGH")}}`);
    const kind = (host: string, ...rules: ReturnType<typeof rule>[]) =>
      snapshotOf(rules, [...workloads, lease("back/ratings")]).cluster(`outbound|80||${host}`)?.policy.loadBalancer;
    expect(kind(REVIEWS, own, theirs, root)).toBe("random");
    expect(kind(back, own, theirs, root)).toBe("roundRobin");
    expect(kind(back, own, root)).toBe("passThrough");
    expect(kind(back, own)).toBe("leastRequest");
  });

  it("merges rules of one host: subsets add up, the first traffic policy holds whole", () => {
    const first = rule("a", `{host: reviews, ${balances("RANDOM")}, subsets: [{name: v1, labels: {version: v1}}]}`);
    const second = rule(
      "b",
      `{host: ${REVIEWS}, ${balances("ROUND_ROBIN")}, subsets: [{name: v1, labels: {version: x}}, {name: v2, labels: {version: v2}}]}`,
    );
    const snapshot = snapshotOf([second, first], workloads);
    expect(snapshot.cluster(`outbound|80|v2|${REVIEWS}`)?.policy.loadBalancer).toBe("random");
    expect(endpointsOf(snapshot, `outbound|80|v1|${REVIEWS}`)).toEqual(["10.0.0.1:3001"]);
  });

  it("prefers the entry whose workloadSelector means this client", () => {
    const all = rule("a", `{host: reviews, ${balances("RANDOM")}}`);
    const web = rule("b", `{host: reviews, ${balances("ROUND_ROBIN")}, workloadSelector: {matchLabels: {app: web}}}`);
    const other = rule("c", `{host: reviews, ${balances("PASSTHROUGH")}, workloadSelector: {matchLabels: {app: x}}}`);
    expect(policy([all, web, other])?.loadBalancer).toBe("roundRobin");
    expect(policy([all, other])?.loadBalancer).toBe("random");
  });

  it.each([
    ["a port's entry inherits nothing", "", "", "leastRequest", 7_000],
    ["a subset's block replaces", "v1", "{loadBalancer: {simple: ROUND_ROBIN}}", "roundRobin", 7_000],
    [
      "a subset's port entry resets",
      "v1",
      "{loadBalancer: {simple: ROUND_ROBIN}, portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: PASSTHROUGH}}]}",
      "passThrough",
      10_000,
    ],
  ])("%s", (_, subset, ofSubset, loadBalancer, connectTimeoutMs) => {
    const entry = "portLevelSettings: [{port: {number: 80}, connectionPool: {tcp: {connectTimeout: 7s}}}]";
    const subsetPolicy = ofSubset === "" ? "" : `, trafficPolicy: ${ofSubset}`;
    const spec = `{host: reviews, trafficPolicy: {loadBalancer: {simple: RANDOM}, ${entry}}, subsets: [{name: v1, labels: {version: v1}${subsetPolicy}}]}`;
    expect(policy([rule("a", spec)], subset)).toMatchObject({ loadBalancer, connection: { connectTimeoutMs } });
  });

  it("picks by latency where the annotation says so", () => {
    const annotated = rule(
      "a",
      `{host: reviews, ${balances("RANDOM")}}`,
      "annotations: {inmesh.dev/load-balancer: PEAK_EWMA}",
    );
    expect(policy([annotated])?.loadBalancer).toBe("peakEwma");
  });
});
