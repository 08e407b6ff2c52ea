import { describe, expect, it } from "vitest";
import type { OutcomeRecord } from "../telemetry/outcome-record.js";
import { FLAG } from "../telemetry/response-flags.js";
import { FakeClock, silent, testEngine } from "../testing.js";
import { statusTest, TAP_RATE, Tap, type TapEvent, type TapFilter, tapBeginText, tapEvent, tapText } from "./tap.js";
import type { ServedUnderWay, TapBegin } from "./tap-under-way.js";

const LEDGER = {
  ...{ meshMs: 0.1, faultMs: 0, queueMs: 0, dnsMs: 0, connectMs: 2, tlsMs: 0, waitMs: 9, bodyMs: 0.9, backoffMs: 0 },
  stallMs: 0,
};
const RECORD = {
  ...{ direction: "outbound", wallMs: 1_700_000_000_000, startedAt: 10, endedAt: 22, method: "GET", path: "/api/7" },
  ...{ query: "secret=1", authority: "reviews", scheme: "http", protocol: "HTTP/1.1", status: 503, grpcStatus: -1 },
  ...{ flags: FLAG.UF | FLAG.URX, details: "x", code: "CONNECT_FAILED", message: "m".repeat(9_999) },
  ...{ requestBytes: 1, responseBytes: 2, requestId: "r", traceId: "t", attempts: [], ledger: LEDGER, noRetry: "" },
  ...{
    mtls: true,
    httpRoute: "",
    policy: "",
    cluster: { config: { host: "reviews.shop.svc.cluster.local", subset: "v1" } },
  },
} as unknown as OutcomeRecord;
const record = (change: Partial<OutcomeRecord> = {}): OutcomeRecord => ({ ...RECORD, ...change });

function tap(filter: TapFilter = {}) {
  const clock = new FakeClock();
  const events: TapEvent[] = [];
  const begins: TapBegin[] = [];
  const dropped: number[] = [];
  const made = new Tap(clock, filter, {
    begin: (event) => begins.push(event),
    event: (event) => events.push(event),
    dropped: (count) => dropped.push(count),
  });
  return { clock, begins, events, dropped, tap: made };
}

describe("Tap", () => {
  it.each<[TapFilter, boolean]>([
    [{}, true],
    [{ direction: "inbound" }, false],
    [{ service: "reviews" }, true],
    [{ service: "reviews.shop" }, true],
    [{ service: "review" }, false],
    [{ path: "/api" }, true],
    [{ path: "/x" }, false],
    [{ method: "POST" }, false],
    [{ status: "5xx" }, true],
    [{ status: "503" }, true],
    [{ status: "4xx" }, false],
    [{ status: "error" }, true],
  ])("with filter %o tells of it: %s", (filter, told) => {
    const { tap: watched, events } = tap(filter);
    watched.ended(record());
    expect(events).toHaveLength(told ? 1 : 0);
  });

  it("tells 100 in a second, counts the rest, and makes nothing of it", () => {
    const { tap: watched, events, dropped, clock } = tap();
    for (let at = 0; at < TAP_RATE + 40; at++) watched.ended(record());
    expect([events.length, dropped]).toEqual([TAP_RATE, []]);
    clock.advance(1_000);
    watched.ended(record());
    expect([events.length, dropped]).toEqual([TAP_RATE + 1, [40]]);
    watched.tellDropped();
    expect(dropped).toEqual([40]);
  });

  it("has no query, no header and nothing of unbounded length", () => {
    const event = tapEvent(record({ path: `/${"p".repeat(9_999)}`, authority: "a".repeat(9_999) }));
    expect(JSON.stringify(event)).not.toContain("secret=1");
    expect([event.path.length, event.authority.length, event.message.length]).toEqual([512, 512, 512]);
    expect(event).toMatchObject({ flags: "UF,URX", error: "CONNECT_FAILED", durationMs: 12, ledger: LEDGER });
  });

  it("is a line for people, with what made up the time", () => {
    expect(tapText(tapEvent(record()))).toBe(
      "22:13:20.000 > GET reviews/api/7 503 UF,URX CONNECT_FAILED 12.0ms v1 (wait 9.0ms, connect 2.0ms)",
    );
    expect(tapText(tapEvent(record({ ledger: { ...LEDGER, stallMs: 8 } })))).toContain(
      "this process stood still 8.0ms",
    );
  });
});

describe("what is under way", () => {
  const SERVED: ServedUnderWay = {
    ...{ request: {}, startedAt: -1_500, method: "GET", authority: "web", target: "/feed?token=secret" },
    ...{ requestId: "r-1", traceId: "t", peer: "" },
  };

  it("tells of a call that goes on for a second once, and then of its end", () => {
    const { engine, send, network, clock } = testEngine({ clusters: { reviews: ["10.0.0.1:80"] } });
    network.script("*", silent());
    const [begins, ends]: [TapBegin[], TapEvent[]] = [[], []];
    const watched = new Tap(
      clock,
      {},
      {
        begin: (event) => begins.push(event),
        event: (event) => ends.push(event),
        dropped: () => {},
      },
    );
    send("reviews", { path: "/before" });
    engine.sinks.add(watched);
    const { call } = send("reviews", { path: "/a?token=secret", headers: ["x-request-id", "r-2"] });
    clock.advance(999);
    watched.tellUnderWay([]);
    expect(begins).toEqual([]); // a call that is quick is told of once
    clock.advance(1);
    for (let times = 0; times < 2; times++) watched.tellUnderWay([]);
    expect(begins).toMatchObject([
      { direction: "outbound", path: "/a", requestId: "r-2", endpoint: "10.0.0.1:80", attempts: 1, durationMs: 1_000 },
    ]);
    expect(tapBeginText(begins[0] as TapBegin)).toMatch(/ > GET reviews\/a … 1000ms so far 10\.0\.0\.1:80$/);
    call.abort(new Error("enough"));
    expect(ends).toMatchObject([{ path: "/a", requestId: "r-2", flags: "DC", durationMs: 1_000 }]);
    clock.advance(5_000);
    watched.tellUnderWay([]);
    expect(begins).toHaveLength(1);
  });

  it("tells of a request that is served for a second, as far as the filter wants it", () => {
    const quick = { ...SERVED, request: {}, startedAt: -10 };
    for (const [filter, told] of [
      [{}, 1],
      [{ direction: "inbound", path: "/feed", method: "GET" }, 1],
      [{ direction: "outbound" }, 0],
      [{ service: "web" }, 0],
      [{ path: "/other" }, 0],
      [{ status: "5xx" }, 0], // there is none yet
    ] as const) {
      const { tap: watched, begins } = tap(filter);
      for (let times = 0; times < 2; times++) watched.tellUnderWay([quick, SERVED]);
      expect([filter, begins.length]).toEqual([filter, told]);
      if (told === 1) expect(begins[0]).toMatchObject({ path: "/feed", durationMs: 1_500, requestId: "r-1" });
    }
  });
});

it.each(["", "600", "6xx", "5x", "ok", "50"])("%s is no status", (status) => {
  expect(statusTest(status)).toBeUndefined();
});
