import { afterEach, describe, expect, it } from "vitest";
import { Attempt } from "../call/attempt.js";
import { settle } from "../runtime/fake-clock.js";
import { answers, resets } from "../testing/behaviour.js";
import type { FakeSnapshotSpec } from "../testing/fake-snapshot.js";
import { type TestEngine, testEngine } from "../testing/test-engine.js";

const UNLIMITED = { maxConnections: 0, maxPendingRequests: 0, maxRequests: 0, maxRetries: 0 };

let mesh: TestEngine;
afterEach(() => mesh.engine.close());

const limits = () => mesh.engine.clusters.find("a")!.limits; // called before

function spec(
  policy: { limits?: Partial<typeof UNLIMITED>; retryBudget?: object },
  retry: object = { on: ["5xx"], backoffBaseMs: 0 },
): FakeSnapshotSpec {
  const given = { ...policy, ...(policy.limits && { limits: { ...UNLIMITED, ...policy.limits } }) };
  return {
    clusters: { a: { endpoints: ["e:1"], policy: given as object } },
    hosts: { a: [{ retry }] },
  };
}

describe("requests under way", () => {
  it("are refused beyond maxRequests, never tried again, and let in when one has ended", async () => {
    mesh = testEngine(spec({ limits: { maxRequests: 2 } }));
    mesh.network.script("*", answers(200, { afterMs: 10, bodyMs: 5 }));
    const first = mesh.send("a");
    mesh.send("a");
    const third = mesh.send("a");
    expect(third.exchange.error).toMatchObject({ code: "OVERFLOW", status: 503, flag: "UO", origin: "local" });
    expect((third.exchange.error as Error).message).toBe(
      'GET http://a/ was not sent: to "a" 2 requests are under way, as many as policy allows (connectionPool.http.http2MaxRequests: 2). See: inmesh describe a (OVERFLOW)',
    );
    expect([third.call.attempts, limits().overflows.requests]).toEqual([0, 1]);

    await mesh.clock.advance(12); // the head is there, the body not: still under way
    expect([first.exchange.status, mesh.send("a").exchange.events]).toEqual([200, ["fail OVERFLOW"]]);
    await mesh.clock.advance(5);
    expect(limits().active).toBe(0);
    const later = mesh.send("a");
    await mesh.clock.advance(15);
    expect(later.exchange.events).toEqual(["head 200", "end"]);
  });

  it("do not count while they wait for a connection; nothing is left of those given up", () => {
    mesh = testEngine(spec({ limits: { maxRequests: 1, maxConnections: 1 } }));
    mesh.network.script("*", { kind: "queue" });
    const { call, exchange } = mesh.send("a");
    limits().wait(exchange.attempts[0]!); // sent
    expect([limits().active, limits().pending]).toEqual([0, 1]);
    const second = mesh.send("a");
    expect([limits().active, limits().pending, second.exchange.error]).toEqual([1, 1, undefined]);
    expect([limits().full, limits().refusal(second.exchange.attempts[0]!)]).toEqual([false, undefined]);
    limits().resume(exchange.attempts[0]!);
    expect(limits().refusal(exchange.attempts[0]!)).toMatchObject({ code: "OVERFLOW" });
    limits().wait(exchange.attempts[0]!);
    call.abort(new Error("gone"));
    second.call.abort(new Error("gone"));
    expect([limits().active, limits().pending]).toEqual([0, 0]);
  });

  it("keep their count over a policy change, which holds at once", async () => {
    mesh = testEngine(spec({}));
    mesh.network.script("*", answers(200, { afterMs: 10 }));
    for (let each = 0; each < 3; each++) mesh.send("a");
    mesh.publish(spec({ limits: { maxRequests: 3 } }));
    expect(mesh.send("a").exchange.events).toEqual(["fail OVERFLOW"]);
    mesh.publish(spec({ limits: { maxRequests: 4 } }));
    expect(mesh.send("a").exchange.events).toEqual([]);
    await mesh.clock.advance(10);
    expect(limits().active).toBe(0);
  });

  it("are refused by the transport as well, in an attempt of its own, without a retry", () => {
    mesh = testEngine(spec({ limits: { maxPendingRequests: 1 } }));
    mesh.network.script("*", { kind: "queue" });
    const { call, exchange } = mesh.send("a");
    const attempt = exchange.attempts[0]!; // sent
    attempt.fail(limits().overflow("pending", call, call.cluster!.config));
    expect(exchange.error).toMatchObject({ code: "OVERFLOW", origin: "local" });
    expect([call.noRetry, call.attempts, attempt.endpoint.failures]).toEqual(["overloaded", 1, 0]);
    expect((exchange.error as Error).message).toContain("more requests would make the overload worse");
    expect(limits().active).toBe(0);
  });
});

describe("retries under way", () => {
  /** As many calls at once, each answered 503 for ever. @returns attempts of each */
  async function storm(calls: number): Promise<number[]> {
    mesh.network.script("*", answers(503, { afterMs: 10 }));
    const sent = Array.from({ length: calls }, () => mesh.send("a"));
    for (let step = 0; step < 10; step++) {
      await mesh.clock.advance(10);
      await settle();
    }
    expect(limits().retries).toBe(0);
    expect(sent.map(({ exchange }) => exchange.status)).toEqual(sent.map(() => 503));
    return sent.map(({ call }) => call.attempts);
  }

  it("are unlimited where policy says nothing, as Istio's", async () => {
    mesh = testEngine(spec({}));
    expect(await storm(50)).toEqual(Array.from({ length: 50 }, () => 3));
  });

  it("are at most maxRetries; who gets none keeps the answer and says why", async () => {
    mesh = testEngine(spec({ limits: { maxRetries: 2 } }));
    const { call, exchange } = mesh.prepare("a");
    mesh.network.script("*", answers(503, { afterMs: 10 }));
    mesh.send("a");
    mesh.send("a");
    mesh.engine.start(call);
    await mesh.clock.advance(10);
    expect([exchange.status, call.noRetry, call.attempts]).toEqual([503, "retry_budget", 1]);
    expect([limits().retries, limits().overflows.retries]).toEqual([2, 1]);
    expect(await storm(5)).toEqual([1, 1, 1, 1, 1]); // both places are taken until the two have their last answers
    expect(limits().retries).toBe(0);
    expect(await storm(5)).toEqual([3, 3, 1, 1, 1]);
  });

  it("say in the error what stopped them", async () => {
    mesh = testEngine(spec({ retryBudget: { ratio: 0.2, minConcurrency: 1, intervalMs: 0 } }, { on: ["reset"] }));
    mesh.network.script("*", resets(1));
    const sent = [mesh.send("a"), mesh.send("a")];
    await mesh.clock.advance(1);
    expect((sent[1]!.exchange.error as Error).message).toContain(
      'Not tried again, because as many retries as policy allows are under way to "a" (retryBudget: 20% of its requests, at least 1).',
    );
    sent[0]!.call.abort(new Error("gone")); // in its back-off
    expect(limits().retries).toBe(0);
  });

  it.each([
    [10, { ratio: 0.2, minConcurrency: 3, intervalMs: 0 }, 3],
    [50, { ratio: 0.2, minConcurrency: 3, intervalMs: 0 }, 10],
    [54, { ratio: 0.2, minConcurrency: 3, intervalMs: 0 }, 10],
    [50, { ratio: 0, minConcurrency: 1, intervalMs: 0 }, 1],
  ])("of %i requests with %o are %i, whatever maxRetries says", (calls, retryBudget, allowed) => {
    mesh = testEngine(spec({ limits: { maxRetries: 1 }, retryBudget }));
    mesh.network.script("*", { kind: "queue" });
    for (let each = 0; each < calls; each++) mesh.send("a");
    expect(limits().maxRetries(0)).toBe(allowed);
  });

  it("shrink with the requests that are left", async () => {
    mesh = testEngine(
      spec({ retryBudget: { ratio: 0.5, minConcurrency: 3, intervalMs: 0 } }, { on: ["5xx"], maxAttempts: 2 }),
    );
    const attempts = await storm(50); // answered one after the other: 17 is half of the 33 that have not been yet
    expect(attempts.filter((made) => made > 1)).toHaveLength(17);
  });

  it("may count requests of a last while, too", async () => {
    mesh = testEngine(spec({ retryBudget: { ratio: 0.1, minConcurrency: 1, intervalMs: 10_000 } }));
    for (let each = 0; each < 100; each++) mesh.send("a");
    await mesh.clock.advance(1);
    expect(limits().maxRetries(mesh.clock.now())).toBe(10);
    await mesh.clock.advance(11_000);
    expect(limits().maxRetries(mesh.clock.now())).toBe(1);
  });

  it("beside another attempt have Envoy's budget where policy has none", () => {
    mesh = testEngine(spec({}));
    mesh.network.script("*", { kind: "queue" });
    const calls = Array.from({ length: 20 }, () => mesh.send("a").call);
    const granted = calls.filter((call) => {
      const may = limits().mayHedge(call, 0);
      if (may) limits().holdRetry(call);
      return may;
    });
    expect(granted).toHaveLength(4); // 20 % of 20
  });
});

it("an attempt is never counted twice", () => {
  mesh = testEngine(spec({}));
  mesh.network.script("*", { kind: "queue" });
  const attempt = mesh.send("a").exchange.attempts[0]!; // sent
  expect(attempt).toBeInstanceOf(Attempt);
  for (const step of ["wait", "wait", "resume", "resume"] as const) limits()[step](attempt);
  expect([limits().active, limits().pending]).toEqual([1, 0]);
});
