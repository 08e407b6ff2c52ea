import { describe, expect, it } from "vitest";
import { explain } from "../explain/explain.js";
import { FakeClock } from "../runtime/fake-clock.js";
import { answers, inTurn, refuses } from "../testing/behaviour.js";
import { fakeOutlier } from "../testing/fake-snapshot.js";
import { testEngine } from "../testing/test-engine.js";
import { endpointsOut } from "./endpoints-out.js";
import { EventLog } from "./event-log.js";
import { stackView } from "./routing-view.js";
import { snapshotView } from "./snapshot-view.js";
import { clustersView, statsView } from "./traffic-view.js";

const inbound = { requests: 0, failures: 0, inFlight: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0 };

describe("admin views", () => {
  it("say what the rules do, in words", () => {
    const { store } = testEngine({
      clusters: { "reviews.shop.svc.cluster.local": ["10.0.0.1:80"], "api.example.com": ["10.0.0.2:80"] },
      hosts: {
        reviews: [
          { to: { "reviews.shop.svc.cluster.local": 2, "api.example.com": 1 }, name: "split", timeoutMs: 500 },
          { action: { kind: "redirect", status: 301, location: () => "/" } },
          { action: { kind: "directResponse", status: 200, body: "x" } },
          { to: "api.example.com", resource: { kind: "VirtualService", namespace: "shop", name: "reviews" } },
        ],
      },
    });
    const [host] = snapshotView(store.current, []).virtualHosts;
    expect(host?.routes.map(({ action, resource }) => [action, resource])).toEqual([
      ["reviews 66.7%, api.example.com 33.3%", ""],
      ["redirect 301", ""],
      ["direct response 200", ""],
      ["api.example.com", "VirtualService/shop/reviews"],
    ]);
    expect(host?.routes[0]).toMatchObject({ name: "split", timeoutMs: 500, maxAttempts: 1, retryOn: [] });
  });

  it("are there before the first snapshot", () => {
    expect(snapshotView(undefined, [])).toMatchObject({ version: 0, services: [], virtualHosts: [] });
    expect(stackView(testEngine().engine)).toEqual({ routes: [] });
  });

  it("show the stages of one service's rules, or of all", () => {
    const { engine } = testEngine({ clusters: { "reviews.shop.svc": [], ratings: [] } });
    const hosts = (service?: string) => stackView(engine, service).routes.map(({ virtualHost }) => virtualHost);
    expect(hosts()).toEqual(["reviews.shop.svc:80", "ratings:80"]);
    expect(hosts("reviews")).toEqual(["reviews.shop.svc:80"]);
    expect(hosts("reviews.shop")).toEqual(["reviews.shop.svc:80"]);
    expect(hosts("review")).toEqual([]);
    expect(stackView(engine, "ratings").routes[0]?.stages.at(-1)).toMatchObject({ role: "send" });
  });

  it("show clusters that were called, who refuses and for how long", () => {
    const { engine, network, send, clock } = testEngine({
      clusters: { reviews: ["10.0.0.1:80"], ratings: ["10.0.0.2:80"] },
    });
    network.script("*", inTurn(refuses(), answers()));
    send("reviews");
    clock.advance(100);
    expect(clustersView(engine).clusters).toMatchObject([
      {
        name: "reviews",
        stats: { calls: 1, failures: 1 },
        endpoints: [{ id: "10.0.0.1:80", attempts: 1, failures: 1, inFlight: 0, ejectedForMs: expect.any(Number) }],
      },
    ]);
    expect(clustersView(engine).clusters[0]?.endpoints[0]?.ejectedForMs).toBeGreaterThan(0);
    const stats = statsView(engine, { service: "web", namespace: "shop", inbound });
    expect(stats).toMatchObject({ atMs: clock.now(), service: "web", unrouted: 0, inbound });
    expect(stats.outbound[0]?.cells.reduce((sum, count) => sum + count)).toBe(1);
  });

  it("show who is left out, why, since when and for how long, and explanations say so, too", () => {
    const outlier = fakeOutlier({ consecutiveErrors: 2, maxEjectionRatio: 0.5, intervalMs: 1_000 });
    const endpoints = ["10.0.0.1:80", "10.0.0.2:80"];
    const { engine, network, send, clock, store } = testEngine({
      clusters: { reviews: { endpoints, loadBalancer: "roundRobin", policy: { outlier } } },
    });
    network.script("*", answers(200, { afterMs: 0 })).script("10.0.0.1:80", answers(500, { afterMs: 0 }));
    for (let n = 0; n < 4; n++) send("reviews");
    clock.advance(2_000);
    const [cluster] = clustersView(engine).clusters;
    const out = [{ by: "outlierDetection", reason: "2 attempts in a row failed", sinceMs: 2_000, forMs: 28_000 }];
    expect(cluster).toMatchObject({
      usable: 1,
      panic: false,
      endpoints: [
        { id: "10.0.0.1:80", ejectedForMs: 28_000, out, outlier: { ejections: 1, spared: 0 } },
        { id: "10.0.0.2:80", ejectedForMs: 0, out: [] },
      ],
    });
    const text = "10.0.0.1:80: 2 attempts in a row failed, for 28000 ms more";
    const outOf = endpointsOut(engine.clusters, clock);
    const { destinations, steps } = explain(store.current!, { method: "GET", url: "http://reviews/" }, { outOf });
    expect([destinations[0]?.out, steps.at(-1)]).toEqual([[text], `reviews has 2 endpoints, 1 usable: ${text}`]);
    clock.advance(28_000);
    expect(clustersView(engine).clusters[0]).toMatchObject({ usable: 2, endpoints: [{ out: [] }, { out: [] }] });
  });

  it("keep the last 500 events", () => {
    const clock = new FakeClock();
    const log = new EventLog(clock);
    for (let n = 0; n < 510; n++) {
      clock.advance(1);
      log.add("config", `${n}`);
    }
    const { events } = log.view();
    expect([events.length, events[0]?.message, events.at(-1)?.message]).toEqual([500, "10", "509"]);
    expect(events[0]).toMatchObject({ kind: "config", wallTime: expect.stringMatching(/^\d{4}-.*Z$/) });
  });
});
