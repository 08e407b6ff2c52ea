import type { BreakerFallback, Destination } from "@inmesh/model";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { requestsView } from "../admin/requests-view.js";
import { settle } from "../runtime/fake-clock.js";
import { answers } from "../testing/behaviour.js";
import type { FakeSnapshotSpec } from "../testing/fake-snapshot.js";
import { type TestEngine, testEngine } from "../testing/test-engine.js";
import { BREAKER } from "./breaker-policy.test.helper.js";
import { loadOpossum } from "./opossum-switch.js";
import { isKeepable, MOST_ANSWER_BYTES } from "./stale-answers.js";

beforeAll(loadOpossum);

let mesh: TestEngine;
afterEach(() => mesh.engine.close());

const to = (cluster: string): Destination => ({ cluster, host: cluster, port: 80, subset: "", weight: 1 });

/** Calls to `a`, whose breaker is open. */
async function opened(fallback: BreakerFallback, others: FakeSnapshotSpec["clusters"] = {}): Promise<void> {
  mesh = testEngine({
    clusters: { a: { endpoints: ["e:1"], policy: { breaker: { ...BREAKER, fallback } } }, ...others },
  });
  mesh.network.script("e:1", answers(503));
  for (let each = 0; each < 4; each++) {
    mesh.send("a");
    await mesh.clock.advance(1);
    await settle();
  }
}

it("answers with what policy says, marked", async () => {
  await opened({ kind: "response", status: 200, headers: [["content-type", "application/json"]], body: "[]" });
  const { call, exchange } = mesh.send("a");
  expect(exchange.localReply).toEqual({
    status: 200,
    headers: ["content-type", "application/json", "x-inmesh-error", "BREAKER_OPEN"],
    body: "[]",
  });
  expect([call.fallback, call.error, call.attempts]).toEqual(["response", undefined, 0]);
  expect(requestsView(mesh.engine, 1).requests[0]).toMatchObject({ status: 200, fallback: "response", attempts: [] });
});

describe("another destination", () => {
  const fallback: BreakerFallback = { kind: "destination", destination: to("b") };

  it("is called, and counted as what was called", async () => {
    await opened(fallback, { b: ["f:1"] });
    const { call, exchange } = mesh.send("a");
    await mesh.clock.advance(1);
    expect([exchange.status, call.fallback, mesh.network.seen("f:1")]).toEqual([200, "destination", 1]);
    const [a, b] = ["a", "b"].map((name) => mesh.engine.clusters.find(name)!.stats); // called
    expect([a!.calls, a!.inFlight, b!.calls, b!.inFlight]).toEqual([4, 0, 1, 0]);
  });

  it("may be broken, too: there is no third one, and no way back", async () => {
    const back: BreakerFallback = { kind: "destination", destination: to("a") };
    await opened(fallback, { b: { endpoints: ["f:1"], policy: { breaker: { ...BREAKER, fallback: back } } } });
    mesh.network.script("f:1", answers(503));
    for (let each = 0; each < 4; each++) {
      mesh.send("a");
      await mesh.clock.advance(1);
      await settle();
    }
    const { call, exchange } = mesh.send("a");
    expect(exchange.error).toMatchObject({ code: "BREAKER_OPEN", cluster: "b" });
    expect(call.attempts).toBe(0);
  });

  it("that does not exist changes nothing", async () => {
    await opened(fallback);
    expect(mesh.send("a").exchange.error).toMatchObject({ code: "BREAKER_OPEN", cluster: "a" });
  });
});

describe("the last good answer", () => {
  const fallback: BreakerFallback = { kind: "stale", maxAgeMs: 60_000 };
  const BODY = Buffer.from("good");

  /** As the transport keeps it. */
  function keep(path: string, requestHeaders: readonly string[], headers: readonly string[]): void {
    const { call } = mesh.prepare("a", { path, headers: requestHeaders });
    call.cluster = mesh.engine.clusters.find("a"); // called
    mesh.engine.staleAnswers.keep(call, 200, headers, BODY);
  }

  it("is given to the same GET, with its age and a warning", async () => {
    await opened(fallback);
    keep("/x?y=1", [], ["content-type", "text/plain", "age", "5", "content-length", "4", "etag", '"1"']);
    await mesh.clock.advance(1_500);
    const { call, exchange } = mesh.send("a", { path: "/x?y=1" });
    expect(exchange.localReply).toEqual({
      status: 200,
      headers: [
        ...["content-type", "text/plain", "etag", '"1"', "age", "6", "warning", '110 - "Response is Stale"'],
        ...["x-inmesh-error", "BREAKER_OPEN"],
      ],
      body: BODY,
    });
    expect(call.fallback).toBe("stale");
  });

  it("is not given to another request, nor when it is too old", async () => {
    await opened({ kind: "stale", maxAgeMs: 3_000 });
    keep("/x", ["accept-language", "de"], ["vary", "Accept-Language"]);
    const gets = (options: object) => mesh.send("a", { path: "/x", ...options }).call.fallback;
    expect(gets({ headers: ["accept-language", "de"] })).toBe("stale");
    expect(gets({ headers: ["accept-language", "en"] })).toBe("");
    expect(gets({ path: "/x?a", headers: ["accept-language", "de"] })).toBe("");
    expect(gets({ method: "HEAD", headers: ["accept-language", "de"] })).toBe("");
    for (const name of ["authorization", "cookie", "range"]) {
      expect(gets({ headers: ["accept-language", "de", name, "x"] })).toBe("");
    }
    await mesh.clock.advance(3_001);
    expect(gets({ headers: ["accept-language", "de"] })).toBe("");
  });

  it("is given only to who asks with the same headers, but for those that say nothing of it", async () => {
    await opened(fallback);
    keep("/x", ["x-user", "ann", "Accept", "text/html", "traceparent", "00-1", "user-agent", "a"], []);
    keep("/y", ["user-agent", "a"], ["vary", "user-agent"]);
    const gets = (path: string, headers: readonly string[]) => mesh.send("a", { path, headers }).call.fallback;
    expect(gets("/x", ["accept", "text/html", "X-User", "ann", "traceparent", "00-2", "x-request-id", "7"])).toBe(
      "stale",
    );
    expect(gets("/x", ["accept", "text/html", "x-user", "bob"])).toBe("");
    expect(gets("/x", ["accept", "text/html"])).toBe("");
    expect(gets("/x", ["accept", "text/html", "x-user", "ann", "x-api-key", "k"])).toBe("");
    expect([gets("/y", ["user-agent", "a"]), gets("/y", ["user-agent", "b"])]).toEqual(["stale", ""]);
  });

  it("is not kept where it may be for one person only", async () => {
    await opened(fallback);
    const keepable = (headers: Record<string, string>, request: readonly string[] = [], status = 200, method = "GET") =>
      isKeepable(mesh.prepare("a", { headers: request, method }).call, status, (name) => headers[name]);
    expect(keepable({ "cache-control": "max-age=5, public" })).toBe(true);
    expect(keepable({}, ["accept", "text/html"])).toBe(true);
    expect(keepable({ "set-cookie": "a=b" })).toBe(false);
    expect(keepable({ "cache-control": "max-age=5, Private" })).toBe(false);
    expect(keepable({ "cache-control": "no-store" })).toBe(false);
    expect(keepable({ vary: "*" })).toBe(false);
    expect(keepable({ "content-length": String(MOST_ANSWER_BYTES + 1) })).toBe(false);
    expect(keepable({}, ["Authorization", "Bearer x"])).toBe(false);
    expect(keepable({}, ["cookie", "x=y"])).toBe(false);
    expect(keepable({}, [], 206)).toBe(false);
    expect(keepable({}, [], 200, "POST")).toBe(false);
  });

  it("is not kept either where a second line says so", async () => {
    await opened(fallback);
    keep("/x", [], ["cache-control", "max-age=5", "Cache-Control", "private"]);
    keep("/y", [], ["vary", "accept", "vary", "*"]);
    expect(mesh.engine.staleAnswers.size).toBe(0);
  });

  it("costs a bounded amount of memory: the oldest leave", async () => {
    await opened(fallback);
    const { staleAnswers } = mesh.engine;
    const { call } = mesh.prepare("a");
    call.cluster = mesh.engine.clusters.find("a"); // called
    for (let each = 0; each < 200; each++) {
      call.path = `/${each}`;
      staleAnswers.keep(call, 200, [], new Uint8Array(MOST_ANSWER_BYTES));
    }
    expect(staleAnswers.bytes).toBeLessThanOrEqual(16 * 1024 * 1024);
    expect(staleAnswers.size).toBe(63);
    expect([staleAnswers.find(call, 1_000)?.status, mesh.send("a", { path: "/0" }).call.fallback]).toEqual([200, ""]);
    staleAnswers.keep(call, 200, [], new Uint8Array(1));
    expect(staleAnswers.size).toBe(63); // in place of the one before
  });
});
