import { describe, expect, it } from "vitest";
import type { OutcomeRecord } from "../telemetry/outcome-record.js";
import { FLAG } from "../telemetry/response-flags.js";
import { FakeClock } from "../testing.js";
import { statusTest, TAP_RATE, Tap, type TapEvent, type TapFilter, tapEvent, tapText } from "./tap.js";

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
  const dropped: number[] = [];
  const made = new Tap(clock, filter, {
    event: (event) => events.push(event),
    dropped: (count) => dropped.push(count),
  });
  return { clock, events, dropped, tap: made };
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

it.each(["", "600", "6xx", "5x", "ok", "50"])("%s is no status", (status) => {
  expect(statusTest(status)).toBeUndefined();
});
