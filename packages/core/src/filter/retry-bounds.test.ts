/** What keeps the mesh from trying again although the rule would: what the peer asks for, and budgets. */

import { describe, expect, it } from "vitest";
import { InboundContext } from "../call/context.js";
import type { MeshError } from "../errors.js";
import { answers, inTurn, refuses, resets, type Script } from "../testing/behaviour.js";
import type { FakeCluster, FakeRoute, FakeSnapshotSpec } from "../testing/fake-snapshot.js";
import { type TestCallOptions, testEngine } from "../testing/test-engine.js";

const A = "10.0.0.1:80";
const B = "10.0.0.2:80";

function setup(
  script: Script | ReturnType<typeof answers>,
  { policy, ...route }: FakeRoute & { readonly policy?: FakeCluster["policy"] } = {},
) {
  const spec: FakeSnapshotSpec = {
    clusters: { reviews: { endpoints: [A, B], ...(policy && { policy }) } },
    hosts: { reviews: [{ retry: { on: ["5xx", "429", "connect-failure"], backoffBaseMs: 0 }, ...route }] },
  };
  const test = testEngine(spec);
  test.network.script("*", script);
  const times = (): number[] => test.network.written.map(({ startedAt }) => Math.round(startedAt));
  return { ...test, times, spec };
}

const asksFor = (seconds: string, status = 503) => answers(status, { headers: { "retry-after": seconds } });

describe("Retry-After", () => {
  it.each([503, 429])("of a %s is waited for", async (status) => {
    const { clock, send, times } = setup(inTurn(asksFor("2", status), answers()));
    const start = clock.now();
    const { exchange } = send("reviews");
    await clock.advanceAsync(1_990);
    expect(times()).toHaveLength(1);
    await clock.advanceAsync(100);
    expect(exchange.events).toEqual(["head 200", "end"]);
    expect(times()[1]! - start).toBeGreaterThanOrEqual(2_000);
  });

  it("may be a date on the wall's clock", async () => {
    const probe = setup(answers());
    const { clock, send, times, network } = probe;
    const at = new Date(clock.wallTime() + 5_000).toUTCString(); // whole seconds
    network.script("*", inTurn(asksFor(at), answers()));
    const start = clock.now();
    send("reviews");
    await clock.advanceAsync(6_000);
    expect(times()).toHaveLength(2);
    expect(times()[1]! - start).toBeGreaterThan(3_900);
    expect(times()[1]! - start).toBeLessThanOrEqual(5_000);
  });

  it.each(["-5", "NaN", "0", "soon"])("%j is ignored", async (value) => {
    const { clock, send } = setup(inTurn(asksFor(value), answers()));
    const { exchange } = send("reviews");
    await clock.advanceAsync(20);
    expect(exchange.events).toEqual(["head 200", "end"]);
  });

  it("R18: is waited for at most 30 s", async () => {
    const { clock, send, times } = setup(inTurn(asksFor("3600"), answers()));
    const start = clock.now();
    send("reviews");
    await clock.advanceAsync(29_990);
    expect(times()).toHaveLength(1);
    await clock.advanceAsync(100);
    expect(times()[1]! - start).toBeLessThanOrEqual(30_010);
  });

  it("R18: beyond the deadline ends the call with that answer, at once", async () => {
    const { clock, engine, send, network } = setup(asksFor("2"), { timeoutMs: 1_500 });
    const { call, exchange } = send("reviews");
    await clock.advanceAsync(10);
    expect([exchange.events, call.noRetry, network.written.length]).toEqual([["head 503", "end"], "retry_after", 1]);
    expect(engine.clusters.all()[0]!.stats.read().noRetry).toEqual({ retry_after: 1 });
  });

  it("of another answer says nothing about retries, and the next attempt's failure forgets it", async () => {
    const { clock, send, times } = setup(inTurn(asksFor("20", 500), asksFor("1"), refuses(), answers()), {
      retry: { on: ["5xx", "connect-failure"], backoffBaseMs: 0, maxAttempts: 5 },
    });
    const start = clock.now();
    send("reviews");
    await clock.advanceAsync(1_100);
    expect(times().map((at) => Math.floor((at - start) / 500))).toEqual([0, 0, 2]);
  });

  it("R6: is given up in the same tick as the call", async () => {
    const { clock, send, network } = setup(asksFor("20"));
    const { call, exchange } = send("reviews");
    await clock.advanceAsync(100);
    call.abort(new Error("enough"));
    expect(exchange.events).toEqual(["fail Error"]);
    await clock.advanceAsync(60_000);
    expect([network.written.length, clock.pending]).toEqual([1, 0]);
  });
});

describe("retries by rate", () => {
  const policy = { retryRate: { ratio: 0.5, minPerSecond: 0 } };

  it("are as many as calls have earned, and the reason is in the error, the story and the counters", async () => {
    const { clock, engine, send } = setup(refuses(), { policy });
    const calls = Array.from({ length: 12 }, () => send("reviews"));
    await clock.advanceAsync(100);
    const { retries, noRetry } = engine.clusters.all()[0]!.stats.read();
    expect(retries).toBeLessThanOrEqual(10 + 6);
    expect(retries).toBeGreaterThanOrEqual(10);
    expect(noRetry).toEqual({ attempts_exhausted: expect.any(Number), retry_rate: expect.any(Number) });
    const denied = calls.filter(({ call }) => call.noRetry === "retry_rate");
    expect(denied.length).toBe(noRetry!.retry_rate);
    expect((denied[0]!.exchange.error as MeshError).message).toContain('"reviews" has no retry left');
  });

  it("are saved up over new snapshots, whatever else those change", async () => {
    const { clock, engine, publish, send, spec } = setup(refuses(), { policy });
    for (let each = 0; each < 12; each++) send("reviews");
    await clock.advanceAsync(100);
    const [cluster] = engine.clusters.all();
    const left = cluster!.retriesLeft;
    expect(left).toBeLessThan(1);
    publish({ ...spec, clusters: { reviews: { endpoints: [A], policy: { ...policy, subsetSize: 3 } } } });
    expect([engine.clusters.all()[0], cluster!.retriesLeft]).toEqual([cluster, left]);
    publish({ ...spec, clusters: { reviews: { endpoints: [A] } } });
    expect(cluster!.retriesLeft).toBeUndefined();
  });

  it("are not taken by calls that could not be repeated anyway", async () => {
    const { clock, engine, send } = setup(resets(), { policy, retry: { on: ["reset"], backoffBaseMs: 0 } });
    for (let each = 0; each < 20; each++) send("reviews", { method: "POST" });
    await clock.advanceAsync(100);
    expect(engine.clusters.all()[0]!.retriesLeft).toBe(10);
  });
});

describe("R12: an answer by which the peer says that its application saw nothing", () => {
  const refusal = (status: number) => answers(status, { headers: { "x-inmesh-not-processed": "true" } });

  it.each([429, 503])(
    "with %s is tried again elsewhere, also for a POST and whatever retryOn names",
    async (status) => {
      const test = setup(inTurn(refusal(status), answers()), { retry: { on: ["connect-failure"], backoffBaseMs: 0 } });
      const { exchange } = test.send("reviews", { method: "POST" });
      await test.clock.advanceAsync(100);
      expect(exchange.events).toEqual(["head 200", "end"]);
      expect(new Set(exchange.attempts.map(({ endpoint }) => endpoint.endpoint.id)).size).toBe(2);
    },
  );

  it("is not waited for as long as another endpoint is left, whatever it asks for", async () => {
    const busy = answers(503, { headers: { "x-inmesh-not-processed": "true", "retry-after": "1" } });
    const { clock, send, times } = setup(busy);
    const start = clock.now();
    send("reviews");
    await clock.advanceAsync(5_000);
    const [, second, third] = times().map((at) => at - start);
    expect(second).toBeLessThan(100);
    expect(third).toBeGreaterThanOrEqual(1_000); // both have said so
  });

  it("is not where the rule has no retries, nor with another status, nor when the body is gone", async () => {
    const attempts = async (script: ReturnType<typeof answers>, route: FakeRoute, options: TestCallOptions) => {
      const test = setup(script, route);
      const { exchange } = test.send("reviews", options);
      await test.clock.advanceAsync(100);
      return exchange.attempts.length;
    };
    const post = { method: "POST" };
    expect(await attempts(refusal(503), { retry: {} }, post)).toBe(1);
    expect(await attempts(refusal(500), {}, post)).toBe(1);
    expect(await attempts(refusal(503), {}, { ...post, replayable: false })).toBe(1);
    expect(await attempts(refusal(503), {}, post)).toBe(3);
  });
});

describe("the ledger", () => {
  const within = (
    test: ReturnType<typeof setup>,
    context: InboundContext,
    options?: TestCallOptions,
  ): ReturnType<typeof test.send> => test.engine.contexts.run(context, () => test.send("reviews", options));
  const context = (spentAbove = 0) => new InboundContext(Number.POSITIVE_INFINITY, [], undefined, spentAbove);

  it("R9: a call for a request that is a repeat is not repeated, unless nothing was sent", async () => {
    const test = setup(inTurn(refuses(), resets(), answers()));
    const { call, exchange } = within(test, context(2));
    await test.clock.advanceAsync(100);
    expect(exchange.attempts.map(({ sent }) => sent)).toEqual([false, true]);
    expect([exchange.events, call.noRetry]).toEqual([["fail UPSTREAM_RESET"], "retried_above"]);
    expect((exchange.error as MeshError).message).toContain("only one layer repeats");
    const spent = test.network.written.map(({ headers }) => headers[headers.indexOf("x-inmesh-attempts-spent") + 1]);
    expect(spent).toEqual(["2"]); // the refused one had nothing done
  });

  it("R9: an answer that was tried again below is the last", async () => {
    const test = setup(answers(503, { headers: { "x-inmesh-retried": "3" } }));
    const { call, exchange } = test.send("reviews");
    await test.clock.advanceAsync(100);
    expect([exchange.attempts.length, call.noRetry]).toEqual([1, "retried_below"]);
  });

  it("tells the inbound request of calls that failed for good, until one of them succeeds after all", async () => {
    const test = setup(inTurn(answers(503), answers(503), answers(503), answers(200)));
    const inbound = context();
    let told = 0;
    inbound.retriedInVain = () => {
      told += 1;
    };
    within(test, inbound);
    await test.clock.advanceAsync(100);
    expect([told, inbound.tries?.retried, inbound.calls, inbound.repeats]).toEqual([1, 3, 1, 2]);
    within(test, inbound);
    await test.clock.advanceAsync(100);
    expect([told, inbound.tries?.retried, inbound.calls, inbound.repeats]).toEqual([1, 0, 1, 3]);
  });

  it("R9: stops at 16 repeats of one inbound request with fewer calls, by whomever", async () => {
    const test = setup(answers(503), { retry: { on: ["5xx"], maxAttempts: 100, backoffBaseMs: 0 } });
    const inbound = context();
    const { call } = within(test, inbound);
    await test.clock.advanceAsync(100);
    expect([call.attempts, call.noRetry, inbound.repeats]).toEqual([17, "request_budget", 16]);
    const other = within(test, inbound, { path: "/other" });
    await test.clock.advanceAsync(100);
    expect([other.call.attempts, other.call.noRetry]).toEqual([1, "request_budget"]);
  });
});
