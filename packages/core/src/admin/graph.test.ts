import { describe, expect, it } from "vitest";
import { graph, type ProcessReading } from "./graph.js";
import type { ClustersView, OutboundStats, StatsView } from "./views.js";

const HOST = "reviews.shop.svc.cluster.local";
const ZERO = {
  successes: 0,
  failures: 0,
  retries: 0,
  aborted: 0,
  replays: 0,
  inFlight: 0,
  sumMs: 0,
  p50Ms: 0,
  p95Ms: 0,
  p99Ms: 0,
};

function outbound(calls: number, failures: number, host = HOST): OutboundStats {
  return {
    ...{ cluster: `outbound|80||${host}`, host, subset: "" },
    stats: { ...ZERO, calls, successes: calls - failures, failures },
    cells: [0, calls],
    endpoints: [
      { id: "10.0.0.1:80", version: "v1", attempts: calls, failures, plaintext: "" },
      { id: "10.0.0.2:80", version: "v2", attempts: calls * 2, failures: 0, plaintext: "10.0.0.2:80 has no identity" },
    ],
  };
}

function stats(atMs: number, service: string, more: Partial<StatsView> = {}): StatsView {
  const inbound = { requests: atMs, failures: 0, inFlight: 0, p50Ms: 1, p95Ms: 1, p99Ms: 1 };
  return { atMs, service, namespace: "shop", outbound: [], inbound, unrouted: 0, ...more };
}

function reading(service: string, more: Partial<ProcessReading> = {}): ProcessReading {
  return {
    ...{ namespace: "shop", service, process: `shop/${service}-1`, version: "v1", serves: true, state: "ready" },
    ...{ before: stats(0, service), after: stats(1_000, service) },
    ...more,
  };
}

describe("the graph", () => {
  it("joins what processes say into services, versions and edges", () => {
    const web = reading("web", {
      before: stats(0, "web", { outbound: [outbound(10, 0)] }),
      after: stats(2_000, "web", { outbound: [outbound(30, 1)] }),
    });
    const { nodes, edges } = graph([web, reading("reviews"), reading("reviews", { version: "v2" })], 2_000);
    expect(edges).toMatchObject([
      {
        ...{ source: "shop/web", target: "shop/reviews", host: HOST, kind: "call", secured: "partly" },
        traffic: { calls: 20, failures: 1, rps: 10, successRatio: 0.95 },
        versions: [
          { version: "v1", attempts: 20, failures: 1 },
          { version: "v2", attempts: 40, failures: 0 },
        ],
        plaintext: ["10.0.0.2:80 has no identity"],
        ...{ health: "degraded", reasons: ["5.0% of calls fail"] },
      },
    ]);
    expect(nodes).toMatchObject([
      {
        ...{ id: "shop/reviews", kind: "service", measuredBy: "callers", health: "degraded" },
        versions: [
          { version: "v1", processes: 1, attempts: 20 },
          { version: "v2", processes: 1, attempts: 40 },
        ],
        traffic: { calls: 20 },
      },
      { id: "shop/web", measuredBy: "itself", traffic: { calls: 2_000, rps: 1_000 }, health: "healthy" },
    ]);
  });

  it("counts a process that took the place of another from zero", () => {
    const web = reading("web", {
      before: stats(0, "web", { outbound: [outbound(100, 50)] }),
      after: stats(1_000, "web", { outbound: [outbound(7, 7)] }),
    });
    const [edge] = graph([web], 1_000).edges;
    expect(edge?.traffic).toMatchObject({ calls: 7, failures: 7 });
    expect(edge?.health).toBe("failing");
    expect(edge?.versions[0]).toEqual({ version: "v1", attempts: 7, failures: 7 });
  });

  it("knows outsiders, clients, copies and those who do not answer", () => {
    const mirrors = (calls: number) => [
      { cluster: `outbound|80|v2|${HOST}`, stats: { ...ZERO, calls, successes: calls }, skipped: {} },
    ];
    const job = reading("job", {
      serves: false,
      before: stats(0, "job"),
      after: stats(1_000, "job", { outbound: [outbound(5, 0, "api.example.com")], mirrors: mirrors(3) }),
    });
    const silent = { namespace: "shop", service: "reviews", process: "shop/reviews-1", version: "", serves: true };
    const { nodes, edges } = graph([job, { ...silent, failure: "no answer within 2000 ms" }], 1_000);
    expect(nodes).toMatchObject([
      { id: "api.example.com", kind: "external", namespace: "", name: "api.example.com" },
      { id: "shop/job", kind: "client", health: "healthy" },
      { id: "shop/reviews", health: "failing", reasons: ["1 of 1 processes does not answer"] },
    ]);
    expect(edges.map(({ target, kind, traffic }) => [target, kind, traffic.calls])).toEqual([
      ["api.example.com", "call", 5],
      ["shop/reviews", "mirror", 3],
    ]);
  });

  it("says what its callers hold against a service: breakers, endpoints left alone", () => {
    const out = [{ why: "outlier" }];
    const clusters = {
      clusters: [
        {
          host: HOST,
          breakers: [{ state: "open", text: 'breaker "cluster" is open for 9 s more' }],
          endpoints: [{ id: "10.0.0.1:80", out }, { id: "10.0.0.2:80" }],
        },
      ],
    } as unknown as ClustersView;
    const [edge] = graph([reading("web", { clusters })], 1_000).edges;
    expect(edge).toMatchObject({
      health: "degraded",
      reasons: ['breaker "cluster" is open for 9 s more', "10.0.0.1:80 is left alone"],
    });
  });

  it("tells which route of the code causes which call", () => {
    const routes = (calls: number) => [
      { inbound: "/books/:id", host: HOST, calls, failures: 1, sumMs: calls * 4 },
      { inbound: "/idle", host: HOST, calls: 3, failures: 0, sumMs: 1 },
    ];
    const web = reading("web", {
      before: stats(0, "web", { outbound: [outbound(10, 0)], codeRoutes: routes(10) }),
      after: stats(1_000, "web", { outbound: [outbound(20, 0)], codeRoutes: routes(20) }),
    });
    expect(graph([web], 1_000).edges[0]?.routes).toEqual([
      { inbound: "/books/:id", calls: 10, failures: 0, rps: 10, meanMs: 4 },
    ]);
  });
});
