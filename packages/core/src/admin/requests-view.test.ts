import { describe, expect, it } from "vitest";
import { answers, type Behaviour, cuts, inTurn, refuses, resets, silent, stale } from "../testing/behaviour.js";
import type { FakeRoute } from "../testing/fake-snapshot.js";
import { testEngine } from "../testing/test-engine.js";
import { requestsView } from "./requests-view.js";

const RETRY: FakeRoute = { retry: { on: ["5xx", "connect-failure", "reset"], perTryTimeoutMs: 100 } };

/** The only call's view, after one endpoint did these things in turn. */
async function tell(route: FakeRoute, ...behaviours: [Behaviour, ...Behaviour[]]) {
  const test = testEngine({ clusters: { reviews: ["10.0.0.1:80"] }, hosts: { reviews: [route] } });
  test.network.script("*", inTurn(...behaviours));
  test.send("reviews", { path: "/a?token=secret" });
  for (let turn = 0; turn < 40; turn++) {
    test.clock.advance(25);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const [request] = requestsView(test.engine).requests;
  return request;
}

describe("requestsView", () => {
  it("tells of a call what was asked, of whom, and how long it took", async () => {
    expect(await tell({}, answers(200, { afterMs: 7 }))).toMatchObject({
      ...{ method: "GET", authority: "reviews", path: "/a", route: "default", cluster: "reviews", status: 200 },
      ...{ error: "", message: "", faultMs: 0, meshUs: 0, replayed: false, durationMs: 7 },
      attempts: [{ number: 1, endpoint: "10.0.0.1:80", outcome: "answered 200", status: 200, durationMs: 7 }],
    });
  });

  it.each([
    ["refused", refuses()],
    ["reset", resets()],
    ["answered 503", answers(503)],
    ["timed out", silent()],
  ])("tells that an attempt before the last was %s", async (outcome, first) => {
    const request = await tell(RETRY, first, answers(200));
    expect(request?.attempts.map((attempt) => [attempt.number, attempt.outcome])).toEqual([
      [1, outcome],
      [2, "answered 200"],
    ]);
  });

  it("tells of the last attempt once, when it failed, with the error that the caller got", async () => {
    const request = await tell({ retry: { on: ["connect-failure"], maxAttempts: 2 } }, refuses());
    expect(request).toMatchObject({ status: 503, error: "CONNECT_FAILED", noRetry: "attempts_exhausted" });
    expect(request?.attempts.map(({ outcome }) => outcome)).toEqual(["refused", "refused"]);
  });

  it("tells that an answer broke off, and that a stale connection was replaced", async () => {
    expect((await tell({}, cuts()))?.attempts).toMatchObject([{ outcome: "cut off", status: 200 }]);
    expect(await tell({}, stale(), answers())).toMatchObject({
      replayed: true,
      attempts: [{ outcome: "reset" }, { outcome: "answered 200" }],
    });
  });

  it("tells of a call that the caller gave up", async () => {
    const test = testEngine({ clusters: { reviews: ["10.0.0.1:80"] } });
    test.network.script("*", silent());
    const { call } = test.send("reviews");
    call.abort(new Error("changed my mind"));
    expect(requestsView(test.engine).requests).toMatchObject([
      { noRetry: "aborted", attempts: [{ outcome: "cancelled" }] },
    ]);
  });

  it("tells of a call that found nobody", async () => {
    const test = testEngine({ clusters: { reviews: [] } });
    test.send("reviews");
    expect(requestsView(test.engine).requests).toMatchObject([{ error: "NO_ENDPOINT", status: 503, attempts: [] }]);
  });

  it("shows as many as asked for, the newest first", async () => {
    const test = testEngine({ clusters: { reviews: ["10.0.0.1:80"] } });
    for (const path of ["/1", "/2", "/3"]) test.send("reviews", { path });
    test.clock.advance(50);
    expect(requestsView(test.engine, 2).requests.map(({ path }) => path)).toEqual(["/3", "/2"]);
    expect(requestsView(test.engine, 0).requests).toEqual([]);
  });
});
