import { describe, expect, it } from "vitest";
import { outcomesOf } from "../admin/outcomes-view.js";
import { testEngine } from "../testing/test-engine.js";
import { FlightRecorder } from "./flight-recorder.js";
import type { OutcomeRecord } from "./outcome-record.js";

const [TRACE, SPAN] = ["a".repeat(32), "b".repeat(16)];
const HEADERS: Readonly<Record<string, string>> = {
  traceparent: `00-${TRACE}-${SPAN}-01`,
  "x-envoy-attempt-count": "2",
  authorization: "secret",
};

/** A server has one record, which it fills anew for each request. */
function served(): { -readonly [Field in keyof OutcomeRecord]: OutcomeRecord[Field] } {
  const ledger = { meshMs: 1, faultMs: 0, queueMs: 0, dnsMs: 0, connectMs: 0, tlsMs: 0, waitMs: 4, bodyMs: 5 };
  const record: OutcomeRecord = {
    ...{ direction: "inbound", wallMs: 1_000, startedAt: 10, readyAt: 11, headAt: 15, endedAt: 20, method: "GET" },
    ...{ path: "/orders", query: "id=1", authority: "orders", scheme: "https", protocol: "HTTP/1.1", status: 200 },
    ...{ grpcStatus: -1, flags: 0, details: "via_upstream", code: "", message: "", requestMessages: 0 },
    ...{ responseMessages: 0, requestBytes: 7, responseBytes: 8, requestId: "r", traceId: TRACE, spanId: "c" },
    ...{ sampled: true, span: undefined, attempts: [], attemptCount: 0, noRetry: "", peer: undefined, mtls: true },
    ...{ peerWorkload: "shop/web", localAddress: "", remoteAddress: "", httpRoute: "/orders", snapshot: 3, policy: "" },
    ...{ route: undefined, cluster: undefined, endpoint: undefined, call: undefined },
    ledger: { ...ledger, backoffMs: 0, stallMs: 2 },
    ...{ meshMs: 1, faultMs: 0, stallMs: 2 },
    keep: () => record,
    requestHeader: (name) => HEADERS[name],
    responseHeader: () => "answered",
  };
  return record;
}

describe("FlightRecorder", () => {
  it("keeps a request as it was told, and no header but those by which it is joined with its call", () => {
    const recorder = new FlightRecorder(2);
    const record = served();
    const told = { ...record };
    recorder.ended(record);
    record.path = "/of-the-next";
    const [kept] = recorder.read();
    const { keep, requestHeader, responseHeader, ...fields } = told;
    expect(kept).toMatchObject(fields);
    expect(kept!.requestHeader("authorization")).toBe(undefined);
    expect(kept!.responseHeader("x")).toBe(undefined);
    expect(outcomesOf(recorder.read())[0]).toMatchObject({ parentSpanId: SPAN, attemptOf: 2, ledger: told.ledger });
  });

  it("takes no call from its sink: whoever ends one adds it", () => {
    const recorder = new FlightRecorder(2);
    recorder.ended({ ...served(), direction: "outbound" });
    expect(recorder.read()).toEqual([]);
  });

  it("holds as many as it has room for, calls and requests together, newest first", () => {
    const { engine, send, clock } = testEngine({ clusters: { reviews: ["10.0.0.1:80"] } });
    const { recorder } = engine;
    for (let n = 0; n < recorder.size; n++) recorder.ended({ ...served(), path: `/in/${n}` });
    for (const path of ["/a", "/b"]) send("reviews", { path });
    clock.advance(10);
    recorder.ended({ ...served(), path: "/last" });
    expect(recorder.read(4).map(({ path }) => path)).toEqual(["/last", "/b", "/a", `/in/${recorder.size - 1}`]);
    expect([recorder.read().length, recorder.read().at(-1)!.path]).toEqual([recorder.size, "/in/3"]);
    expect(recorder.calls(1).map(({ path }) => path)).toEqual(["/b"]);
    expect(recorder.calls().length).toBe(2);
  });
});
