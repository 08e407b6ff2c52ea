import { describe, expect, it } from "vitest";
import { answers, inTurn, refuses, silent } from "../testing/behaviour.js";
import { testEngine } from "../testing/test-engine.js";
import type { OutcomeRecord } from "./outcome-record.js";
import { flagsText } from "./response-flags.js";
import { serverTiming, slowness } from "./server-timing.js";
import { ledgerTotal } from "./time-ledger.js";
import type { TraceSpan, Tracing } from "./tracing.js";

const A = "10.0.0.1:80";

type Setup = Parameters<typeof testEngine>[0];

/** What sinks were told of one call, whose parts they read at once. */
async function outcome(options: Setup, script?: ReturnType<typeof inTurn>, aborts = false) {
  const test = testEngine({ clusters: { reviews: [A] }, ...options });
  if (script !== undefined) test.network.script("*", script);
  const told: { text: string; ledger: OutcomeRecord["ledger"]; totalMs: number; attempts: string[] }[] = [];
  test.engine.sinks.add({
    ended: (record) => {
      const { status, details, code, ledger, attempts } = record;
      told.push({
        text: `${status} ${flagsText(record.flags)} ${details} ${code}`.trim(),
        ledger,
        totalMs: record.endedAt - record.startedAt,
        attempts: attempts.map((each) => `${each.outcome} ${ledgerTotal(each.ledger)}`),
      });
    },
  });
  const { call } = test.send("reviews", { path: "/a?token=secret" });
  if (aborts) call.abort(new Error("enough"));
  for (let turn = 0; turn < 60; turn++) {
    test.clock.advance(25);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(told.length).toBe(1);
  return told[0]!;
}

const RETRY = { retry: { on: ["connect-failure", "5xx"], maxAttempts: 2, perTryTimeoutMs: 100 } };

describe("the record of a call", () => {
  it.each([
    ["200 - via_upstream", {}, answers(200)],
    ["503 - via_upstream", {}, answers(503)],
    ["503 URX via_upstream", { hosts: { reviews: [RETRY] } }, answers(503)],
    ["503 UF upstream_reset_before_response_started{connection_failure} CONNECT_FAILED", {}, refuses()],
    [
      "504 URX,UT upstream_per_try_timeout PER_TRY_TIMEOUT",
      { hosts: { reviews: [{ retry: { ...RETRY.retry, on: ["5xx"] } }] } },
      silent(),
    ],
    ["504 UT upstream_response_timeout TIMEOUT", { hosts: { reviews: [{ timeoutMs: 200 }] } }, silent()],
    ["503 UH no_healthy_upstream NO_ENDPOINT", { clusters: { reviews: [] } }, undefined],
  ])("says %s", async (text, options, behaviour) => {
    expect((await outcome(options, behaviour && inTurn(behaviour, behaviour))).text).toBe(text);
  });

  it("says that its caller went away", async () => {
    expect((await outcome({}, inTurn(silent()), true)).text).toBe("0 DC downstream_remote_disconnect");
  });

  it("has a ledger whose parts sum to its duration, whatever happened on the way", async () => {
    const fault = { delayRatio: 1, delayMs: 50, abortRatio: 0, abortStatus: 0 };
    const retry = { ...RETRY.retry, backoffBaseMs: 40 };
    const { ledger, totalMs, attempts } = await outcome(
      { hosts: { reviews: [{ fault, retry }] } },
      inTurn(silent(), answers(200, { afterMs: 7 })),
    );
    expect(ledger.faultMs).toBe(50);
    expect(ledger.waitMs).toBeGreaterThanOrEqual(107);
    expect(ledgerTotal(ledger)).toBeCloseTo(totalMs, 6);
    expect(attempts.map((each) => each.split(" ").slice(0, -1).join(" "))).toEqual(["timed out", "answered 200"]);
  });

  it("is told to every sink, whatever one of them throws", () => {
    const { engine, send, clock } = testEngine({ clusters: { reviews: [A] } });
    const heard: string[] = [];
    engine.sinks.add({ ended: () => void heard.push("first") });
    const stop = engine.sinks.add({
      ended: () => {
        throw new Error("sink");
      },
    });
    engine.sinks.add({ ended: ({ path, query }) => void heard.push(`${path} ${query}`) });
    const { exchange } = send("reviews", { path: "/a?b=1" });
    expect(() => clock.advance(10)).toThrow("sink"); // later, in nobody's turn
    stop();
    expect([heard, exchange.events]).toEqual([
      ["first", "/a b=1"],
      ["head 200", "end"],
    ]);
  });
});

describe("a span", () => {
  it("has its headers sent in place of all others of these names, is silent below, and ends with the record", () => {
    const { engine, send, clock } = testEngine({ clusters: { reviews: [A] } });
    const events: string[] = [];
    const span: TraceSpan = {
      propagates: true,
      ...{ traceId: "a".repeat(32), spanId: "b".repeat(16), sampled: true },
      headers: ["traceparent", "ours"],
      run: (work) => work(),
      end: ({ status, traceId }) => void events.push(`end ${status} ${traceId.slice(0, 2)}`),
    };
    const tracing: Tracing = {
      startCall: () => span,
      startRequest: () => undefined,
      quietly: (work) => {
        events.push("quiet");
        return work();
      },
    };
    engine.tracing = tracing;
    const { exchange } = send("reviews", { headers: ["TraceParent", "app's", "x", "1", "traceparent", "again"] });
    clock.advance(10);
    expect(exchange.attempts[0]!.headers).toEqual(["x", "1", "traceparent", "ours"]);
    expect(events).toEqual(["quiet", "end 200 aa"]);
    expect(engine.recorder.read()[0]).toMatchObject({ traceId: span.traceId, spanId: span.spanId, span: undefined });
  });
});

describe("a ledger in words", () => {
  const NOTHING = { meshMs: 0, faultMs: 0, queueMs: 0, dnsMs: 0, connectMs: 0, tlsMs: 0, waitMs: 0, bodyMs: 0 };
  const ledger = (parts: Partial<OutcomeRecord["ledger"]>) => ({ ...NOTHING, backoffMs: 0, stallMs: 0, ...parts });

  it("says in the format of Server-Timing what took time", () => {
    const text = serverTiming(ledger({ meshMs: 0.214, waitMs: 31.4, stallMs: 24 }));
    expect(text).toBe("mesh;dur=0.21, wait;dur=31.4, total;dur=31.61, stall;dur=24");
  });

  it.each([
    ["", { waitMs: 99 }],
    ["slow there: the endpoint took 240 of 260 ms", { waitMs: 200, bodyMs: 40, meshMs: 20 }],
    ["slow here: this process stood still for 240 of 260 ms", { waitMs: 260, stallMs: 240 }],
    ["slow here: it waited for a connection for 200 of 200 ms", { queueMs: 200 }],
    ["slow on the way: looking up, connecting and TLS took 180 of 200 ms", { dnsMs: 80, tlsMs: 100, waitMs: 20 }],
  ])("says %s", (text, parts) => expect(slowness(ledger(parts))).toBe(text));
});
