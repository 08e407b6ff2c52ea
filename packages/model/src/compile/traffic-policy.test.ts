/** Traffic policy as one cluster gets it. What is said here of Istio was asked of istiod 1.26, but for fields it does not know. */

import { describe, expect, it } from "vitest";
import type { TrafficPolicy } from "../snapshot/traffic-policy.js";
import { CLIENT, lease, meshConfig, resource, route, snapshotOf, virtualService } from "./fixture.test.helper.js";

const REVIEWS = "reviews.shop.svc.cluster.local";
const service = (ports = "[{port: 80, name: http}, {port: 81, name: http-b}]") =>
  resource("Service", "reviews", `{ports: ${ports}, selector: {app: reviews}}`);
const rule = (spec: string) => resource("DestinationRule", "reviews", `{host: reviews, ${spec}}`);
const off = resource("MeshMode", "istio-system/off", '{mode: "off"}');

function policy(resources: ReturnType<typeof rule>[], port = 80, subset = ""): TrafficPolicy {
  const all = resources.some(({ kind }) => kind === "Service") ? resources : [service(), ...resources];
  const found = snapshotOf(all).cluster(`outbound|${port}|${subset}|${REVIEWS}`);
  if (found === undefined) throw new Error("no cluster");
  return found.policy;
}

describe("connectionPool", () => {
  it("is nothing but the connect timeout where nobody says more", () => {
    expect(policy([])).toEqual({
      loadBalancer: "leastRequest",
      connection: { connectTimeoutMs: 10_000, idleTimeoutMs: 0, maxRequestsPerConnection: 0 },
      tls: policy([]).tls,
    });
  });

  it("compiles every field, in ms", () => {
    const tcp =
      "{maxConnections: 1, connectTimeout: 2s, maxConnectionDuration: 1m, idleTimeout: 9s, tcpKeepalive: {probes: 3, time: 4s, interval: 5s}}";
    const http =
      "{http1MaxPendingRequests: 6, http2MaxRequests: 7, maxRetries: 8, maxRequestsPerConnection: 9, idleTimeout: 10s, h2UpgradePolicy: UPGRADE, maxConcurrentStreams: 11, http2KeepAlive: {interval: 12s, timeout: 13s}}";
    const { connection, limits } = policy([rule(`trafficPolicy: {connectionPool: {tcp: ${tcp}, http: ${http}}}`)]);
    expect(connection).toEqual({
      connectTimeoutMs: 2_000,
      idleTimeoutMs: 10_000,
      maxRequestsPerConnection: 9,
      maxAgeMs: 60_000,
      keepAlive: { probes: 3, timeMs: 4_000, intervalMs: 5_000 },
      protocol: "http2",
      maxConcurrentStreams: 11,
      http2KeepAlive: { intervalMs: 12_000, timeoutMs: 13_000 },
    });
    expect(limits).toEqual({ maxConnections: 1, maxPendingRequests: 6, maxRequests: 7, maxRetries: 8 });
  });

  it("takes 0 for unset, and leaves limits out where there are none", () => {
    const pool = "{tcp: {maxConnections: 0, idleTimeout: 0s}, http: {maxRetries: 0, maxConcurrentStreams: 0}}";
    const { connection, limits } = policy([rule(`trafficPolicy: {connectionPool: ${pool}}`)]);
    expect(limits).toBeUndefined();
    expect(connection).toEqual({ connectTimeoutMs: 10_000, idleTimeoutMs: 0, maxRequestsPerConnection: 0 });
  });

  it("takes the idle time of TCP where HTTP names none", () => {
    const { connection } = policy([rule("trafficPolicy: {connectionPool: {tcp: {idleTimeout: 9s}}}")]);
    expect(connection.idleTimeoutMs).toBe(9_000);
  });

  it("is the mesh's block where the rule has none, but not in a subset's entry for the port", () => {
    const whole = meshConfig(
      "{connectTimeout: 4s, defaultTrafficPolicy: {connectionPool: {http: {maxRetries: 5}}, outlierDetection: {}}}",
    );
    const subsets =
      "subsets: [{name: a}, {name: b, trafficPolicy: {portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: RANDOM}}]}}]";
    const resources = [whole, rule(`trafficPolicy: {loadBalancer: {simple: RANDOM}}, ${subsets}`)];
    for (const filled of [policy([whole]), policy(resources), policy(resources, 80, "a"), policy(resources, 81, "b")]) {
      expect([filled.limits?.maxRetries, filled.outlier?.consecutiveErrors]).toEqual([5, 5]);
      expect(filled.connection.connectTimeoutMs).toBe(4_000);
    }
    const reset = policy(resources, 80, "b");
    expect([reset.limits, reset.outlier]).toEqual([undefined, undefined]);
    expect(reset.connection.connectTimeoutMs).toBe(4_000);
  });

  it.each([
    ["{}", "{probes: 3, interval: 7s}", { probes: 3, timeMs: 7_200_000, intervalMs: 7_000 }],
    ["{time: 10s, probes: 0}", "{probes: 3, interval: 7s}", { probes: 3, timeMs: 10_000, intervalMs: 7_000 }],
    ["{time: 10s}", undefined, { probes: 9, timeMs: 10_000, intervalMs: 75_000 }],
    [undefined, undefined, undefined],
  ])("keeps connections alive with %s over the mesh's %s", (own, ofMesh, expected) => {
    const resources = [
      ...(own === undefined ? [] : [rule(`trafficPolicy: {connectionPool: {tcp: {tcpKeepalive: ${own}}}}`)]),
      ...(ofMesh === undefined ? [] : [meshConfig(`{tcpKeepalive: ${ofMesh}}`)]),
    ];
    expect(policy(resources).connection.keepAlive).toEqual(expected);
  });

  it.each([
    ["http", "", "DO_NOT_UPGRADE", undefined],
    ["http", "", "UPGRADE", "http2"],
    ["http", "h2UpgradePolicy: DEFAULT", "UPGRADE", "http2"],
    ["http", "h2UpgradePolicy: DO_NOT_UPGRADE", "UPGRADE", undefined],
    ["http", "h2UpgradePolicy: UPGRADE", "DO_NOT_UPGRADE", "http2"],
    ["http", "useClientProtocol: true", "UPGRADE", "caller"],
    ["grpc", "", "DO_NOT_UPGRADE", "http2"],
    ["grpc", "useClientProtocol: true", "DO_NOT_UPGRADE", "caller"],
    ["odd", "", "UPGRADE", "caller"],
    ["odd", "h2UpgradePolicy: UPGRADE", "DO_NOT_UPGRADE", "http2"],
    ["tcp", "", "UPGRADE", undefined],
  ])("a port named %s with {%s} in a mesh that says %s is spoken to in %s", (name, http, ofMesh, protocol) => {
    const pools = http === "" ? [] : [rule(`trafficPolicy: {connectionPool: {http: {${http}}}}`)];
    const resources = [service(`[{port: 80, name: ${name}}]`), meshConfig(`{h2UpgradePolicy: ${ofMesh}}`), ...pools];
    expect(policy(resources).connection.protocol).toBe(protocol);
    const off = resource("MeshMode", "istio-system/off", '{mode: "off"}'); // a server may know no other
    expect(policy([...resources, off]).connection.protocol).toBe(protocol);
  });
});

describe("retryBudget", () => {
  it.each([
    ["{}", { ratio: 0.2, minConcurrency: 3, intervalMs: 0 }],
    ["{percent: 0, minRetryConcurrency: 0}", { ratio: 0, minConcurrency: 3, intervalMs: 0 }],
    [
      "{percent: 12.5, minRetryConcurrency: 9, budgetInterval: 2s}",
      { ratio: 0.125, minConcurrency: 9, intervalMs: 2_000 },
    ],
  ])("%s", (spec, budget) => {
    expect(policy([rule(`trafficPolicy: {retryBudget: ${spec}}`)]).retryBudget).toEqual(budget);
  });

  it("does not reach ports with an entry of their own, but stays with subsets' entries", () => {
    const entry = "portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: RANDOM}}]";
    expect(policy([rule(`trafficPolicy: {retryBudget: {}, ${entry}}`)]).retryBudget).toBeUndefined();
    const inherited = rule(`trafficPolicy: {retryBudget: {}}, subsets: [{name: a, trafficPolicy: {${entry}}}]`);
    expect(policy([inherited], 80, "a").retryBudget?.ratio).toBe(0.2);
    const own = rule(`subsets: [{name: a, trafficPolicy: {retryBudget: {percent: 5}, ${entry}}}]`);
    expect(policy([own], 80, "a").retryBudget?.ratio).toBe(0.05);
  });
});

describe("outlierDetection", () => {
  const outlier = (spec: string) => policy([rule(`trafficPolicy: {outlierDetection: ${spec}}`)]).outlier;

  it("is Envoy's with an empty block, and none without a block", () => {
    expect(policy([rule("trafficPolicy: {loadBalancer: {simple: RANDOM}}")]).outlier).toBeUndefined();
    expect(outlier("{}")).toEqual({
      consecutiveErrors: 5,
      consecutiveGatewayErrors: 0,
      splitsLocalErrors: false,
      consecutiveLocalErrors: 5,
      errorStatuses: [],
      intervalMs: 10_000,
      baseEjectionMs: 30_000,
      maxEjectionMs: 300_000,
      maxEjectionRatio: 0.1,
      minHealthRatio: 0,
    });
  });

  it("compiles every field", () => {
    const spec =
      "{consecutive5xxErrors: 7, consecutiveGatewayErrors: 3, splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 4, interval: 3s, baseEjectionTime: 900s, maxEjectionPercent: 50, minHealthPercent: 30, outlierDetectionHttpErrorCodes: [503, 429, 503]}";
    expect(outlier(spec)).toEqual({
      consecutiveErrors: 7,
      consecutiveGatewayErrors: 3,
      splitsLocalErrors: true,
      consecutiveLocalErrors: 4,
      errorStatuses: [429, 503],
      intervalMs: 3_000,
      baseEjectionMs: 900_000,
      maxEjectionMs: 900_000,
      maxEjectionRatio: 0.5,
      minHealthRatio: 0.3,
    });
  });

  it("knows 0 errors for never, and 0 percent and 0 local failures for unset", () => {
    const spec =
      "{consecutive5xxErrors: 0, maxEjectionPercent: 0, splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 0}";
    expect(outlier(spec)).toMatchObject({ consecutiveErrors: 0, maxEjectionRatio: 0.1, consecutiveLocalErrors: 5 });
  });
});

describe("loadBalancer", () => {
  const balanced = (spec: string) => policy([rule(`trafficPolicy: {loadBalancer: ${spec}}`)]);

  it.each([
    ["{consistentHash: {httpHeaderName: x}}", { kind: "ringHash", minimumRingSize: 1024 }],
    ["{consistentHash: {httpHeaderName: x, minimumRingSize: 0}}", { kind: "ringHash", minimumRingSize: 1024 }],
    ["{consistentHash: {httpHeaderName: x, minimumRingSize: 7}}", { kind: "ringHash", minimumRingSize: 7 }],
    ["{consistentHash: {useSourceIp: true, ringHash: {minimumRingSize: 9}}}", { kind: "ringHash", minimumRingSize: 9 }],
    ["{consistentHash: {useSourceIp: true, ringHash: {}}}", { kind: "ringHash", minimumRingSize: 1024 }],
    ["{consistentHash: {useSourceIp: true, maglev: {tableSize: 997}}}", { kind: "maglev", tableSize: 997 }],
    ["{simple: RANDOM}", undefined],
  ])("%s hashes by %j", (spec, hash) => {
    expect(balanced(spec).hash).toEqual(hash);
  });

  it.each([
    ["{warmup: {duration: 30s}}", { windowMs: 30_000, minimumRatio: 0.1, aggression: 1 }],
    [
      "{simple: ROUND_ROBIN, warmup: {duration: 30s, minimumPercent: 0, aggression: 1.5}}",
      { windowMs: 30_000, minimumRatio: 0, aggression: 1.5 },
    ],
    ["{warmupDurationSecs: 5s}", { windowMs: 5_000, minimumRatio: 0.1, aggression: 1 }],
    ["{simple: RANDOM, warmup: {duration: 30s}}", undefined],
    ["{consistentHash: {httpHeaderName: x}, warmup: {duration: 30s}}", undefined],
  ])("%s warms up by %j", (spec, warmup) => {
    expect(balanced(spec).warmup).toEqual(warmup);
  });
});

describe("what requests are hashed by", () => {
  const hash = (key: string) => `loadBalancer: {consistentHash: {${key}}}`;
  const hashed = rule(
    `trafficPolicy: {${hash("httpHeaderName: X-Dr")}, portLevelSettings: [{port: {number: 81}, ${hash("httpCookie: {name: p, ttl: 0s, path: /p, attributes: [{name: SameSite, value: Lax}]}")}}]}, ` +
      `subsets: [{name: v1, trafficPolicy: {${hash("httpQueryParameterName: q")}, portLevelSettings: [{port: {number: 81}, ${hash("useSourceIp: true")}}]}}, ` +
      "{name: v2, trafficPolicy: {portLevelSettings: [{port: {number: 80}, connectionPool: {http: {http2MaxRequests: 3}}}]}}]",
  );
  const header = { kind: "header", name: "x-dr" };
  const cookie = { kind: "cookie", name: "p", path: "/p", ttlMs: 0, attributes: [["SameSite", "Lax"]] };
  const query = { kind: "queryParameter", name: "q" };
  const to = (more: string, weight = 0) => `{destination: {host: reviews${more}}, weight: ${weight}}`;
  const rulesFor = (...destinations: string[]) => virtualService("web", "web", `{route: [${destinations.join(", ")}]}`);
  const found = (resources: ReturnType<typeof rule>[], host: string, port = 80) =>
    snapshotOf([service(), hashed, ...resources], [lease("web")]).routes.lookup(host, port)?.routes[0];

  it.each([
    ["the rule's", "", [header]],
    ["the port's where the port is named", ", port: {number: 81}", [cookie]],
    ["the subset's", ", subset: v1", [query]],
    ["the subset's port's where it is named", ", subset: v1, port: {number: 81}", [{ kind: "sourceIp" }]],
    ["the rule's where the subset's port says nothing of it", ", subset: v2, port: {number: 80}", [header]],
  ])("%s", (_, destination, keys) => {
    const { hashKeys, retry } = found([rulesFor(to(destination))], "web") ?? {};
    expect(hashKeys).toEqual(keys);
    expect(retry?.avoidPreviousHosts).toBe(false);
  });

  it("of several destinations the keys of all that get requests", () => {
    const several = rulesFor(to(", subset: v1", 1), to("", 0), to(", port: {number: 81}", 2), to("", 3));
    const { hashKeys, retry } = found([several], "web") ?? {};
    expect(hashKeys).toEqual([query, cookie, header]);
    expect(retry?.avoidPreviousHosts).toBe(true);
  });

  it("without a VirtualService, by the port addressed; retries then avoid hosts all the same", () => {
    expect(found([], "reviews", 80)).toMatchObject({ hashKeys: [header], retry: { avoidPreviousHosts: true } });
    expect(found([], "reviews", 81)?.hashKeys).toEqual([cookie]);
    expect(found([], "web")?.hashKeys).toBeUndefined();
  });

  it("is asked again when the DestinationRule changes, and nothing else of it is", () => {
    const resources = [service(), virtualService("web", "web", route("reviews"))];
    const first = snapshotOf([...resources, rule("trafficPolicy: {loadBalancer: {simple: RANDOM}}")], [lease("web")]);
    const before = ["web", "reviews"].map((host) => first.routes.lookup(host, 80));
    const pools = rule("trafficPolicy: {connectionPool: {http: {maxRetries: 1}}}");
    const second = snapshotOf([...resources, pools], [lease("web")], { version: 2 }, first);
    for (const [index, host] of ["web", "reviews"].entries()) {
      expect(second.routes.lookup(host, 80)).toBe(before[index]);
    }
    const third = snapshotOf([...resources, hashed], [lease("web")], { version: 3 }, second);
    for (const host of ["web", "reviews"]) {
      expect(third.routes.lookup(host, 80)?.routes[0]?.hashKeys).toEqual([header]);
    }
  });

  it("is nothing when policy is off", () => {
    expect(found([off], "reviews")?.hashKeys).toBeUndefined();
    const { hash, limits, outlier, connection } = policy([off, hashed]);
    expect([hash, limits, outlier]).toEqual([undefined, undefined, undefined]);
    expect(connection.connectTimeoutMs).toBe(10_000);
  });

  it("is no matter for a client of another view", () => {
    const snapshot = snapshotOf([service(), hashed], [], { client: { ...CLIENT, namespace: "back" } });
    expect(snapshot.routes.lookup(`${REVIEWS}`, 80)?.routes[0]?.hashKeys).toEqual([header]); // public by default
  });
});
