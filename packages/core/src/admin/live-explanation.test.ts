import { describe, expect, it } from "vitest";
import type { Explanation } from "../explain/explanation.js";
import { type CallerReading, liveExplanation } from "./live-explanation.js";

const V1 = "outbound|80|v1|reviews.shop.svc.cluster.local";
const EXPLAINED = { outcome: "route", destinations: [{ cluster: V1 }] } as unknown as Explanation;

function endpoint(id: string, more: object = {}) {
  return { id, version: "v1", inFlight: 1, attempts: 100, failures: 5, latencyMs: -1, ...more };
}

function caller(process: string, endpoints: readonly object[], results: readonly (number | string)[]): CallerReading {
  const requests = results.map((result, at) => ({
    ...{ cluster: V1, durationMs: at + 1, agoMs: at * 100 },
    ...(typeof result === "number" ? { status: result, error: "" } : { status: 503, error: result }),
  }));
  const cluster = { name: V1, endpoints, usable: endpoints.length };
  return { process, clusters: { clusters: [cluster] }, requests: { requests } } as unknown as CallerReading;
}

describe("the live part of an explanation", () => {
  it("joins what callers see: endpoints, their state, and the last calls", () => {
    const outlier = { by: "outlierDetection", reason: "5 attempts in a row failed", sinceMs: 1, forMs: 900 };
    const live = liveExplanation(EXPLAINED, [
      caller("shop/web-1", [endpoint("a:1"), endpoint("b:1", { latencyMs: 8 })], [200, 200, "CONNECT_FAILED"]),
      caller("shop/web-2", [endpoint("a:1", { out: [outlier] })], [200]),
    ]);
    expect(live).toEqual({
      seenBy: ["shop/web-1", "shop/web-2"],
      destinations: [
        {
          cluster: V1,
          endpoints: [
            {
              ...{ id: "a:1", version: "v1", usable: false, inFlight: 2, failureRatio: 0.05, latencyMs: null },
              out: ["shop/web-2: 5 attempts in a row failed, for 900 ms more"],
            },
            { id: "b:1", version: "v1", usable: true, inFlight: 1, failureRatio: 0.05, latencyMs: 8, out: [] },
          ],
          obstacles: [],
          recent: {
            ...{ calls: 4, overMs: 200, p50Ms: 1, p95Ms: 3, p99Ms: 3 },
            results: [
              { result: "200", calls: 3 },
              { result: "CONNECT_FAILED", calls: 1 },
            ],
          },
        },
      ],
      expected: { result: "200", share: 0.75, text: "200, as 3 of the last 4 calls" },
    });
  });

  it("expects nothing good where nothing can be sent", () => {
    const dead = caller("shop/web-1", [endpoint("a:1")], [200]);
    const cluster = {
      ...dead.clusters.clusters[0],
      usable: 0,
      breakers: [{ state: "open", text: "breaker open for 3 s more" }],
      limits: { requests: { inUse: 8, most: 8, overflows: 1 }, pending: { inUse: 0, most: 0, overflows: 0 } },
    };
    const live = liveExplanation(EXPLAINED, [
      { ...dead, clusters: { clusters: [cluster] } } as unknown as CallerReading,
    ]);
    expect(live?.destinations[0]?.obstacles).toEqual([
      "shop/web-1: breaker open for 3 s more",
      "shop/web-1: 8 of 8 requests are in use",
      "shop/web-1: no endpoint can be used",
    ]);
    expect(live?.expected).toEqual({ result: "503", share: null, text: "503: no endpoint can be used now" });
  });

  it("says nothing where nobody has called, or nothing is sent", () => {
    const other = caller("shop/web-1", [], []);
    expect(liveExplanation({ ...EXPLAINED, outcome: "redirect" }, [other])).toBeNull();
    expect(liveExplanation({ ...EXPLAINED, destinations: [] }, [other])).toBeNull();
    expect(liveExplanation(EXPLAINED, [])).toBeNull();
  });
});
