import type { OutboundStats, StatsView } from "@inmesh/core/admin";
import { Histogram } from "@inmesh/core/internal";
import { describe, expect, it } from "vitest";
import { edgesBetween, shortHost } from "./figures.js";

interface Given {
  readonly calls?: number;
  readonly failures?: number;
  readonly aborted?: number;
  readonly retries?: number;
  readonly latencies?: readonly number[];
  readonly subset?: string;
  readonly endpoints?: OutboundStats["endpoints"];
}

function outbound(host: string, given: Given): OutboundStats {
  const { calls = 0, failures = 0, aborted = 0, retries = 0, latencies = [], subset = "", endpoints = [] } = given;
  const histogram = new Histogram();
  for (const ms of latencies) histogram.record(ms);
  const stats = { calls, successes: calls - failures - aborted, failures, aborted, retries, replays: 0, inFlight: 0 };
  return {
    cluster: `outbound|80|${subset}|${host}`,
    host,
    subset,
    stats: { ...stats, p50Ms: 0, p95Ms: 0, p99Ms: 0, sumMs: 0 },
    cells: histogram.cells(),
    endpoints,
  };
}

function process(service: string, atMs: number, ...calls: OutboundStats[]): StatsView {
  const inbound = { requests: 0, failures: 0, inFlight: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0 };
  return { atMs, service, namespace: "shop", outbound: calls, inbound, unrouted: 0 };
}

const REVIEWS = "reviews.shop.svc.cluster.local";

describe("edgesBetween", () => {
  it("subtracts two readings over the process's own time", () => {
    const before = new Map([
      ["a", process("web", 10_000, outbound(REVIEWS, { calls: 100, failures: 50, latencies: [500] }))],
    ]);
    const now = outbound(REVIEWS, { calls: 140, failures: 51, retries: 4, latencies: [500, ...new Array(40).fill(4)] });
    const [edge] = edgesBetween(before, new Map([["a", process("web", 12_000, now)]]));
    expect(edge).toMatchObject({ from: "web", to: "reviews", requestsPerSecond: 20, success: 39 / 40, retries: 0.1 });
    expect(Math.abs((edge?.p99Ms ?? 0) - 4)).toBeLessThan(0.5); // the 500 ms lie before the interval
  });

  it("adds up the processes and subsets of one edge", () => {
    const of = (subset: string, calls: number) => outbound(REVIEWS, { subset, calls });
    const before = new Map([
      ["a", process("web", 0, of("v1", 0), of("v2", 0))],
      ["b", process("web", 50, of("v1", 0))],
    ]);
    const after = new Map([
      ["a", process("web", 1_000, of("v1", 10), of("v2", 5))],
      ["b", process("web", 1_050, of("v1", 3))],
    ]);
    expect(edgesBetween(before, after)).toMatchObject([{ from: "web", to: "reviews", requestsPerSecond: 18 }]);
  });

  it("counts a process that is new from its start, and one that is gone no longer", () => {
    const before = new Map([
      ["old", process("web", 0, outbound(REVIEWS, { calls: 1_000 }))],
      ["gone", process("web", 0, outbound(REVIEWS, { calls: 7 }))],
    ]);
    const after = new Map([
      ["old", process("web", 2_000, outbound(REVIEWS, { calls: 1_010 }))],
      ["new", process("web", 1_500, outbound(REVIEWS, { calls: 4 }))],
    ]);
    expect(edgesBetween(before, after)[0]?.requestsPerSecond).toBe(7);
  });

  it("averages over its life what it sees of a process for the first time", () => {
    const after = new Map([["a", process("web", 60_000, outbound(REVIEWS, { calls: 120 }))]]);
    expect(edgesBetween(new Map(), after)[0]?.requestsPerSecond).toBe(2);
  });

  it("shares attempts by version, also when an address comes back with a new count", () => {
    const ends = (a: number, b: number) => [
      { id: "1:1", version: "v1", attempts: a, failures: 0 },
      { id: "1:2", version: "v2", attempts: b, failures: 0 },
      { id: "1:3", version: "", attempts: 99, failures: 0 },
    ];
    const before = new Map([["a", process("web", 0, outbound(REVIEWS, { calls: 1, endpoints: ends(10, 500) }))]]);
    const after = new Map([["a", process("web", 1_000, outbound(REVIEWS, { calls: 2, endpoints: ends(100, 10) }))]]);
    expect(edgesBetween(before, after)[0]?.versions).toEqual([
      { version: "v1", share: 0.9 },
      { version: "v2", share: 0.1 },
    ]);
  });

  it("says nothing about success when callers only gave up", () => {
    const before = new Map([["a", process("web", 0, outbound(REVIEWS, {}))]]);
    const after = new Map([["a", process("web", 1_000, outbound(REVIEWS, { calls: 2, aborted: 2 }))]]);
    expect(edgesBetween(before, after)[0]?.success).toBeUndefined();
  });
});

describe("shortHost", () => {
  it.each([
    [REVIEWS, "reviews"],
    ["api.example.com", "api.example.com"],
  ])("shows %s as %s", (host, short) => expect(shortHost(host)).toBe(short));
});
