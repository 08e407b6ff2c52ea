import { describe, expect, it } from "vitest";
import { NO_SERVER_POLICY } from "../snapshot/resilience.js";
import { CLIENT, lease, request, resource, snapshotOf } from "./fixture.test.helper.js";

const REVIEWS = "reviews.shop.svc.cluster.local";
const OUT = `outbound|80||${REVIEWS}`;
const V1 = `outbound|80|v1|${REVIEWS}`;
const SUBSETS = resource("DestinationRule", "reviews", "{host: reviews, subsets: [{name: v1, labels: {version: v1}}]}");
const reviews = [lease("reviews", 3001, { labels: { version: "v1" } })];

const policyOf = (documents: Parameters<typeof snapshotOf>[0], cluster = OUT, client = CLIENT) =>
  snapshotOf([SUBSETS, ...documents], reviews, { client }).cluster(cluster)?.policy;
const breaker = (name: string, spec: string, metadata = "") => resource("CircuitBreaker", name, spec, metadata);

describe("compile, CircuitBreaker", () => {
  it("has defaults for all it does not say", () => {
    expect(policyOf([breaker("b", "{host: reviews}")])?.breaker).toEqual({
      scope: "cluster",
      windowMs: 10_000,
      minRequests: 20,
      failureRatio: 0.5,
      openMs: 10_000,
      probes: 5,
      resource: { resource: { kind: "CircuitBreaker", namespace: "shop", name: "b" }, path: "spec" },
    });
  });

  it("says everything it can say", () => {
    const spec =
      "{host: reviews, scope: ENDPOINT, window: 5s, minRequests: 3, failurePercent: 25, slowCall: {duration: 200ms, percent: 80}, openFor: 2s, probes: 2, fallback: {stale: {maxAge: 30s}}}";
    expect(policyOf([breaker("b", spec)])?.breaker).toMatchObject({
      ...{ scope: "endpoint", windowMs: 5_000, minRequests: 3, failureRatio: 0.25, openMs: 2_000, probes: 2 },
      slow: { slowerThanMs: 200, ratio: 0.8 },
      fallback: { kind: "stale", maxAgeMs: 30_000 },
    });
  });

  it("falls back to an answer, or to a destination whose port is the cluster's where none is named", () => {
    const answer = "{host: reviews, fallback: {response: {status: 200, headers: {X-From: fallback}, body: none}}}";
    expect(policyOf([breaker("b", answer)])?.breaker?.fallback).toEqual({
      ...{ kind: "response", status: 200, headers: [["x-from", "fallback"]], body: "none" },
    });
    const other = "{host: reviews, fallback: {destination: {host: cache, subset: v9}}}";
    expect(policyOf([breaker("b", other)])?.breaker?.fallback).toMatchObject({
      kind: "destination",
      destination: { cluster: "outbound|80|v9|cache.shop.svc.cluster.local", port: 80, subset: "v9" },
    });
  });

  it.each([
    ["the caller's namespace before the host's", ["front/a", "shop/b", "istio-system/c"], "front/a"],
    ["the host's before the root namespace", ["shop/b", "istio-system/c"], "shop/b"],
    ["the root namespace", ["istio-system/c"], "istio-system/c"],
    ["no other namespace", ["back/d"], undefined],
  ])("holds by %s", (_, names, expected) => {
    const client = { ...CLIENT, namespace: "front" };
    const found = policyOf(
      names.map((name) => breaker(name, `{host: ${REVIEWS}}`)),
      OUT,
      client,
    )?.breaker?.resource.resource;
    expect(found && `${found.namespace}/${found.name}`).toBe(expected);
  });

  it("holds by the exact host before a wildcard, by the older one, and by the subset it names", () => {
    const chosen = (documents: Parameters<typeof snapshotOf>[0], cluster?: string) =>
      policyOf(documents, cluster)?.breaker?.resource.resource.name;
    const wildcard = breaker("wide", '{host: "*.shop.svc.cluster.local"}');
    expect(chosen([wildcard])).toBe("wide");
    expect(chosen([wildcard, breaker("exact", "{host: reviews}")])).toBe("exact");
    const older = breaker("z", "{host: reviews}", 'creationTimestamp: "2026-01-01T00:00:00Z"');
    const younger = breaker("a", "{host: reviews}", 'creationTimestamp: "2026-02-01T00:00:00Z"');
    expect(chosen([younger, older])).toBe("z");
    const ofSubset = breaker("v1", "{host: reviews, subset: v1}");
    expect([chosen([older, ofSubset], V1), chosen([older, ofSubset]), chosen([ofSubset])]).toEqual([
      "v1",
      "z",
      undefined,
    ]);
  });

  it("is gone while policy is off, and back in the view of what it would be", () => {
    const off = resource("MeshMode", "istio-system/m", "{mode: off}");
    const snapshot = snapshotOf([breaker("b", "{host: reviews}"), off], reviews);
    expect(snapshot.cluster(OUT)?.policy.breaker).toBeUndefined();
    expect(snapshot.withPolicy?.cluster(OUT)?.policy.breaker?.probes).toBe(5);
  });

  it("leaves clusters of other hosts alone when it changes", () => {
    const stock = lease("stock");
    const before = snapshotOf([breaker("b", "{host: reviews}")], [...reviews, stock]);
    const names = [OUT, "outbound|80||stock.shop.svc.cluster.local"] as const;
    const clusters = names.map((name) => before.cluster(name));
    const after = snapshotOf([breaker("b", "{host: reviews, probes: 9}")], [...reviews, stock], {}, before);
    expect(after.cluster(names[0])).not.toBe(clusters[0]);
    expect(after.cluster(names[1])).toBe(clusters[1]);
  });
});

describe("compile, Resilience", () => {
  const resilience = (spec: string, name = "r") => resource("Resilience", name, spec);

  it("adds to the policy of callers what it names, and nothing else", () => {
    expect(policyOf([resilience("{host: reviews}")])).toEqual(policyOf([]));
    const all =
      "{host: reviews, loadBalancer: PREQUAL, subsetting: {size: 7}, retry: {percent: 10, minPerSecond: 2, maxBodyBytes: 1000}, hedging: {attempts: 3, delay: 50ms}, healthCheck: {http: {path: /up, host: a.test, expectedStatuses: ['204', 200-202]}, port: 81, interval: 2s, timeout: 500ms, unhealthyThreshold: 4, healthyThreshold: 1}}";
    expect(policyOf([resilience(all)])).toMatchObject({
      loadBalancer: "prequal",
      subsetSize: 7,
      retryRate: { ratio: 0.1, minPerSecond: 2 },
      replayBytes: 1000,
      hedging: { maxAttempts: 3, delayMs: 50 },
      healthCheck: {
        ...{ kind: "http", path: "/up", authority: "a.test", port: 81, intervalMs: 2_000, timeoutMs: 500 },
        ...{
          statuses: [
            [204, 204],
            [200, 202],
          ],
          unhealthyThreshold: 4,
          healthyThreshold: 1,
        },
      },
    });
  });

  it("has defaults inside each part", () => {
    expect(
      policyOf([resilience("{host: reviews, healthCheck: {grpc: {service: shop.Reviews}}}")])?.healthCheck,
    ).toMatchObject({ kind: "grpc", service: "shop.Reviews" });
    expect(
      policyOf([resilience("{host: reviews, hedging: {}, retry: {percent: 20}, healthCheck: {tcp: {}}}")]),
    ).toMatchObject({
      hedging: { maxAttempts: 2, delayMs: 100 },
      retryRate: { ratio: 0.2, minPerSecond: 1 },
      healthCheck: {
        kind: "tcp",
        intervalMs: 5_000,
        timeoutMs: 1_000,
        unhealthyThreshold: 3,
        healthyThreshold: 2,
        port: 0,
      },
    });
  });

  it("chooses the balancer in place of the DestinationRule", () => {
    const rule = resource("DestinationRule", "r", "{host: reviews, trafficPolicy: {loadBalancer: {simple: RANDOM}}}");
    expect(policyOf([rule, resilience("{host: reviews, loadBalancer: PEAK_EWMA}")])?.loadBalancer).toBe("peakEwma");
  });
});

describe("compile, what concerns the client's own servers", () => {
  const SERVER = { ...CLIENT, service: "reviews" };
  const serverOf = (documents: Parameters<typeof snapshotOf>[0], client = SERVER) =>
    snapshotOf(documents, reviews, { client }).server;
  const limit = (name: string, rules: string, host = REVIEWS) =>
    resource("RateLimit", name, `{host: ${host}, rules: [${rules}]}`);

  it("is nothing where nobody speaks, or policy is off", () => {
    expect(serverOf([])).toBe(NO_SERVER_POLICY);
    const off = resource("MeshMode", "istio-system/m", "{mode: off}");
    expect(serverOf([limit("a", "{name: all, requests: 1, per: 1s}"), off])).toBe(NO_SERVER_POLICY);
    expect(serverOf([limit("a", "{name: all, requests: 1, per: 1s}")], CLIENT)).toBe(NO_SERVER_POLICY);
  });

  it("is every RateLimit of its namespace and of the root namespace, by name", () => {
    const rules =
      "{name: all, requests: 10, per: 1m}, {name: by, by: [SOURCE_IP, METHOD, PATH, 'header:X-Key'], requests: 5, per: 2s, burst: 9, match: [{uri: {prefix: /API}, ignoreUriCase: true, method: {exact: GET}, authority: {regex: '.*'}, headers: {x-a: {exact: a}}, withoutHeaders: {x-b: {}}, queryParams: {q: {exact: '1'}}}]}";
    const { rateLimits } = serverOf([
      limit("shop/b", rules),
      limit("istio-system/a", "{name: x, requests: 1, per: 1s}", '"*.shop.svc.cluster.local"'),
      limit("front/c", "{name: y, requests: 1, per: 1s}"),
    ]);
    expect(rateLimits.map(({ name }) => name)).toEqual(["istio-system/a/x", "shop/b/all", "shop/b/by"]);
    expect(rateLimits[1]).toMatchObject({ requests: 10, perMs: 60_000, burst: 10, keys: [] });
    expect(rateLimits[2]).toMatchObject({ requests: 5, perMs: 2_000, burst: 9, resource: { path: "spec.rules[1]" } });
    expect(rateLimits[2]?.keys.map((key) => (key.kind === "header" ? key.name : key.kind))).toEqual([
      ...["sourceIp", "method", "path", "x-key"],
    ]);
    const matches = (path: string, headers: Record<string, string>) =>
      rateLimits[2]?.matches(request(path, { headers }));
    expect(matches("/api/1?q=1", { "x-a": "a" })).toBe(true);
    expect([matches("/x?q=1", { "x-a": "a" }), matches("/api?q=1", { "x-a": "a", "x-b": "" })]).toEqual([false, false]);
  });

  it("has limits that a service counts apart from its own", () => {
    const service = "{host: limits, port: 8081, domain: shop}";
    const shared = resource(
      "RateLimit",
      "shop/s",
      `{host: ${REVIEWS}, service: ${service}, rules: [{name: a, by: [METHOD], match: [{uri: {prefix: /a}}]}, {name: b}]}`,
    );
    const { rateLimits, sharedLimits } = serverOf([shared, limit("shop/b", "{name: own, requests: 1, per: 1s}")]);
    expect(rateLimits.map(({ name }) => name)).toEqual(["shop/b/own"]);
    expect(sharedLimits).toMatchObject([
      {
        ...{ name: "shop/s/a", rule: "a", keys: [{ kind: "method" }], resource: { path: "spec.rules[0]" } },
        service: {
          ...{ host: "limits.shop.svc.cluster.local", port: 8081, domain: "shop" },
          ...{ timeoutMs: 20, failureModeDeny: false },
        },
      },
      { name: "shop/s/b", keys: [] },
    ]);
    expect(sharedLimits?.[1]?.service).toBe(sharedLimits?.[0]?.service);
    expect([sharedLimits?.[0]?.matches(request("/a", {})), sharedLimits?.[0]?.matches(request("/b", {}))]).toEqual([
      ...[true, false],
    ]);
  });

  it("is the admission that a Resilience of its namespace asks for", () => {
    const server =
      "{maxConcurrency: 100, adaptiveConcurrency: {enabled: true, min: 4, max: 64}, maxEventLoopDelay: 200ms, priorityHeader: X-Priority, priorities: [{priority: SHEDDABLE, match: [{uri: {prefix: /batch}}]}]}";
    const { admission } = serverOf([resource("Resilience", "r", `{host: reviews, server: ${server}}`)]);
    expect(admission).toMatchObject({
      ...{ maxConcurrency: 100, maxLoopDelayMs: 200, priorityHeader: "x-priority" },
      adaptive: { minConcurrency: 4, maxConcurrency: 64 },
      priorities: [{ priority: "sheddable" }],
    });
    expect(admission?.priorities[0]?.matches(request("/batch/1"))).toBe(true);
    expect(serverOf([resource("Resilience", "front/r", `{host: ${REVIEWS}, server: {maxConcurrency: 1}}`)])).toBe(
      NO_SERVER_POLICY,
    );
  });

  it("stays the same object while its documents do", () => {
    const documents = [limit("a", "{name: all, requests: 1, per: 1s}")];
    const before = snapshotOf(documents, reviews, { client: SERVER });
    const after = snapshotOf([...documents, SUBSETS], reviews, { client: SERVER }, before);
    expect(after.server).toBe(before.server);
  });
});
