import { beforeAll, describe, expect, it } from "vitest";
import { BREAKER } from "../breaker/breaker-policy.test.helper.js";
import { loadOpossum } from "../breaker/opossum-switch.js";
import type { MeshError } from "../errors.js";
import { answers, type Behaviour, inTurn, queues, refuses, resets, type Script, silent } from "../testing/behaviour.js";
import type { FakeCluster, FakeRoute } from "../testing/fake-snapshot.js";
import { type TestCallOptions, testEngine } from "../testing/test-engine.js";
import { InboundContext } from "./context.js";

const ENDPOINTS = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"];
const HEDGING = { maxAttempts: 3, delayMs: 100 };

interface Setup extends FakeRoute {
  readonly policy?: FakeCluster["policy"];
  readonly endpoints?: readonly string[];
}

/** @param script by the order in which attempts are sent */
function setup(script: Script | Behaviour, { policy, endpoints = ENDPOINTS, ...route }: Setup = {}) {
  const test = testEngine({
    clusters: { reviews: { endpoints, policy: { hedging: HEDGING, ...policy } } },
    hosts: { reviews: [route] },
  });
  test.network.script("*", script);
  const call = async (ms = 5_000, options?: TestCallOptions) => {
    const sent = test.send("reviews", options);
    await test.clock.advanceAsync(ms);
    return sent;
  };
  const [cluster] = test.engine.clusters.all();
  const reading = () => test.engine.clusters.all()[0]!.stats.read();
  /** Ms after the first one. */
  const times = () =>
    test.network.written.map(({ startedAt }) => Math.round(startedAt - test.network.written[0]!.startedAt));
  return { ...test, callAndWait: call, cluster, reading, times };
}

const slow = (ms: number, status = 200) => answers(status, { afterMs: ms });

describe("hedging", () => {
  it("sends a further attempt elsewhere after the delay, and takes the first head", async () => {
    const { callAndWait, engine, network, reading, times } = setup(inTurn(slow(1_000), slow(20)));
    const { call, exchange } = await callAndWait();
    expect([exchange.events, network.open]).toEqual([["head 200", "end"], 0]);
    expect(new Set(exchange.attempts.map(({ endpoint }) => endpoint)).size).toBe(2);
    expect(times()[1]).toBeGreaterThanOrEqual(100);
    expect(times()[1]).toBeLessThanOrEqual(104);
    expect(call.endedAt - call.startedAt).toBeLessThan(130);
    expect([call.attempt?.number, call.noRetry, call.error]).toEqual([2, undefined, undefined]);
    expect(reading()).toMatchObject({ calls: 1, successes: 1, retries: 1, hedges: 1, inFlight: 0 });
    const states = engine.clusters.all()[0]!.states;
    expect(states.map(({ failures, inFlight }) => [failures, inFlight])).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
    expect(engine.clusters.all()[0]!.limits).toMatchObject({ active: 0, retries: 0 });
  });

  it("sends nothing more when the answer begins in time, however long its body takes", async () => {
    const { callAndWait, network, engine } = setup(answers(200, { afterMs: 90, bodyMs: 1_000 }));
    await callAndWait();
    expect([network.written.length, engine.wheel.size]).toEqual([1, 0]);
  });

  it("takes the first attempt's answer when that comes first after all", async () => {
    const { callAndWait, network } = setup(inTurn(slow(150), slow(100)));
    const { call, exchange } = await callAndWait();
    expect([call.attempt?.number, exchange.events, network.open]).toEqual([1, ["head 200", "end"], 0]);
  });

  it("goes on with a call that has begun, whatever policy says meanwhile: one answer, and nothing left out", async () => {
    const { clock, engine, network, publish, send } = setup(inTurn(slow(500, 503), slow(900), slow(400)));
    const { exchange } = send("reviews");
    publish({ clusters: { reviews: ENDPOINTS } });
    await clock.advanceAsync(5_000);
    expect([exchange.events, network.open]).toEqual([["head 200", "end"], 0]);
    expect(engine.clusters.all()[0]!.limits.active).toBe(0);
  });

  it("waits for the others when a peer refuses an attempt before its application sees it, whatever is retried", async () => {
    const refused = answers(429, { afterMs: 150, headers: { "x-inmesh-not-processed": "true" } });
    const { callAndWait, network } = setup(inTurn(refused, answers(200, { afterMs: 60, bodyMs: 1_000 })), {
      retry: { on: ["connect-failure"], backoffBaseMs: 200 },
    });
    const { exchange } = await callAndWait();
    expect([exchange.events, network.written.length, network.open]).toEqual([["head 200", "end"], 2, 0]);
  });

  it("does not give up what is out because an attempt beside it cannot be made once more", async () => {
    const closed: Behaviour = { kind: "reset", afterMs: 20, reused: true };
    const { clock, network, publish, send } = setup(inTurn(slow(300), closed));
    const { exchange } = send("reviews");
    await clock.advanceAsync(110);
    const limits = { maxConnections: 0, maxPendingRequests: 0, maxRequests: 1, maxRetries: 0 };
    publish({ clusters: { reviews: { endpoints: ENDPOINTS, policy: { hedging: HEDGING, limits } } } });
    await clock.advanceAsync(5_000);
    expect([exchange.events, network.written.length, network.open]).toEqual([["head 200", "end"], 2, 0]);
  });

  it("sends at most as many as policy says, a delay apart", async () => {
    const { callAndWait, times } = setup(silent(), { timeoutMs: 2_000 });
    const { call, exchange } = await callAndWait();
    expect(times().map((ms) => Math.round(ms / 100))).toEqual([0, 1, 2]);
    expect([exchange.events, call.attempts]).toEqual([["fail TIMEOUT"], 3]);
    expect((exchange.error as MeshError).message).toMatch(
      /attempt 1 .*waiting.*attempt 2 .*waiting.*attempt 3 .*waiting/,
    );
  });

  it.each<[string, TestCallOptions, number]>([
    ["a GET", {}, 3],
    ["a POST", { method: "POST" }, 1],
    ["a POST with an Idempotency-Key", { method: "POST", headers: ["Idempotency-Key", "k"] }, 3],
    ["a body that is read once", { replayable: false }, 1],
  ])("of %s: attempts", async (_, options, attempts) => {
    const { callAndWait, network } = setup(silent(), { timeoutMs: 1_000 });
    await callAndWait(5_000, options);
    expect([network.written.length, network.open]).toEqual([attempts, 0]);
  });

  it("needs another endpoint", async () => {
    const { callAndWait, network } = setup(silent(), { timeoutMs: 1_000, endpoints: ["10.0.0.1:80", "10.0.0.2:80"] });
    await callAndWait();
    expect(network.written).toHaveLength(2);
  });

  it("goes elsewhere even where retries need not", async () => {
    const retry = { on: ["5xx"], avoidPreviousHosts: false };
    for (let seed = 0; seed < 10; seed++) {
      const test = testEngine(
        {
          clusters: { reviews: { endpoints: ENDPOINTS, policy: { hedging: HEDGING } } },
          hosts: { reviews: [{ retry }] },
        },
        { seed },
      );
      test.network.script("*", silent());
      const { exchange } = test.send("reviews");
      await test.clock.advanceAsync(400);
      expect(new Set(exchange.attempts.map(({ endpoint }) => endpoint)).size).toBe(3);
    }
  });

  it("is disarmed in the tick in which its last attempt ends", () => {
    const { send, engine } = setup(refuses());
    const { exchange } = send("reviews");
    expect([exchange.events, engine.wheel.size]).toEqual([["fail CONNECT_FAILED"], 0]);
  });

  it("costs calls of clusters without it nothing but a look", async () => {
    const { callAndWait } = setup(slow(10), { policy: { hedging: undefined as never } });
    const { call } = await callAndWait();
    expect([call.hedge, call.tried, call.earlier]).toEqual([undefined, undefined, undefined]);
  });
});

describe("a bad end of one of several attempts", () => {
  const RETRY = { on: ["5xx"], backoffBaseMs: 0 };

  it.each<[string, Behaviour]>([
    ["an answer of 503", slow(150, 503)],
    ["a reset", resets(150)],
    ["a refusal", refuses("ECONNREFUSED", 150)],
  ])("%s does not end the call while another is out", async (_, bad) => {
    const { callAndWait, network } = setup(inTurn(bad, slow(300), silent()));
    const { call, exchange } = await callAndWait();
    expect([exchange.events, call.status, call.attempts, network.open]).toEqual([["head 200", "end"], 200, 3, 0]);
  });

  it("is followed by a retry once all are over, and the rule's attempts are those of both", async () => {
    const script = inTurn(slow(150, 503), slow(100, 503), slow(10));
    const { callAndWait, times, reading } = setup(script, {
      policy: { hedging: { maxAttempts: 2, delayMs: 100 } },
      retry: RETRY,
    });
    const { call, exchange } = await callAndWait();
    expect([exchange.events, call.attempts]).toEqual([["head 200", "end"], 3]);
    expect(times()[2]).toBeGreaterThanOrEqual(200);
    expect(reading()).toMatchObject({ retries: 2, hedges: 1 });
  });

  it("gives the caller the last answer when nothing is left", async () => {
    const { callAndWait } = setup(inTurn(slow(150, 500), slow(100, 502), slow(100, 503)), { retry: RETRY });
    const { call, exchange } = await callAndWait();
    expect([exchange.events, call.noRetry]).toEqual([["head 503", "end"], "attempts_exhausted"]);
  });

  it("is told with the others when nothing was answered", async () => {
    const { callAndWait } = setup(inTurn(resets(250), resets(20), resets(220)));
    const { call, exchange } = await callAndWait();
    const error = exchange.error as MeshError;
    expect([error.code, error.attempt, call.noRetry]).toEqual(["UPSTREAM_RESET", 3, "retries_off"]);
    expect(error.message).toMatch(/attempt 1 .* lost .*attempt 2 .* lost .*attempt 3 .* lost/);
    expect(error.endpoint).toBe(exchange.attempts[2]!.endpoint.endpoint.id);
  });

  it("by perTryTimeout leaves the others their own time", async () => {
    const { callAndWait, network } = setup(inTurn(silent(), slow(140), slow(500)), {
      retry: { ...RETRY, perTryTimeoutMs: 150 },
    });
    const { call, exchange } = await callAndWait();
    expect([exchange.events, call.attempt?.number, network.open]).toEqual([["head 200", "end"], 2, 0]);
    const [first] = exchange.attempts;
    expect((first!.error as MeshError).code).toBe("PER_TRY_TIMEOUT");
  });
});

describe("the end of a call with several attempts out", () => {
  it.each<[string, FakeRoute, Behaviour]>([
    ["the route's timeout", { timeoutMs: 250 }, silent()],
    ["the route's timeout, while all wait for connections", { timeoutMs: 250 }, queues()],
  ])("by %s ends them all in one tick", async (_, route, script) => {
    const { callAndWait, engine, network, clock } = setup(script, route);
    const { exchange } = await callAndWait();
    expect([exchange.attempts.length, exchange.events, network.open]).toEqual([3, ["fail TIMEOUT"], 0]);
    expect([engine.wheel.size, clock.pending]).toEqual([0, 0]);
    expect(engine.clusters.all()[0]!.states.every(({ inFlight }) => inFlight === 0)).toBe(true);
  });

  it("by the caller ends them in the same tick, and nobody is blamed", async () => {
    const { callAndWait, engine, network } = setup(silent());
    const { call, exchange } = await callAndWait(250);
    expect(network.open).toBe(3);
    call.abort(new Error("enough"));
    expect([network.open, engine.wheel.size, exchange.events]).toEqual([0, 0, ["fail Error"]]);
    expect(engine.clusters.all()[0]!.states.map(({ failures, inFlight }) => failures + inFlight)).toEqual([0, 0, 0]);
    expect(engine.clusters.all()[0]!.limits).toMatchObject({ active: 0, retries: 0 });
  });

  it("by the caller while the first body comes leaves no hedge behind", async () => {
    const { callAndWait, engine, network } = setup(inTurn(answers(200, { afterMs: 120, bodyMs: 10_000 }), silent()));
    const { call } = await callAndWait(400);
    expect([network.open, network.written.length]).toEqual([1, 2]);
    call.abort(new Error("enough"));
    expect([network.open, engine.wheel.size]).toEqual([0, 0]);
  });
});

describe("what keeps hedges back, and never fails the call", () => {
  beforeAll(loadOpossum);

  it("the retry budget: three of the process by default, though Istio sets none", async () => {
    const test = setup(silent(), { timeoutMs: 1_000, policy: { hedging: { maxAttempts: 2, delayMs: 100 } } });
    const calls = Array.from({ length: 10 }, () => test.send("reviews"));
    await test.clock.advanceAsync(500);
    expect(test.network.written).toHaveLength(13);
    expect(calls.every(({ call }) => !call.ended)).toBe(true);
    await test.clock.advanceAsync(1_000);
    expect(test.engine.clusters.all()[0]!.limits).toMatchObject({ active: 0, retries: 0 });
  });

  it("retries by rate", async () => {
    const policy = { hedging: { maxAttempts: 2, delayMs: 100 }, retryRate: { ratio: 0, minPerSecond: 0 } };
    const { callAndWait, network, reading } = setup(slow(150), { policy });
    for (let each = 0; each < 12; each++) await callAndWait(200);
    expect([network.written.length, reading().successes]).toEqual([12 + 10, 12]);
  });

  it("requests that may be under way", async () => {
    const { callAndWait, network } = setup(slow(300), {
      policy: { limits: { maxConnections: 0, maxPendingRequests: 0, maxRequests: 1, maxRetries: 0 } },
    });
    const { exchange } = await callAndWait();
    expect([network.written.length, exchange.events]).toEqual([1, ["head 200", "end"]]);
  });

  it("a circuit breaker that opened meanwhile, even one with another destination", async () => {
    const fallback = {
      kind: "destination",
      destination: { cluster: "other", host: "other", port: 80, subset: "", weight: 1 },
    } as const;
    const test = testEngine({
      clusters: {
        reviews: { endpoints: ENDPOINTS, policy: { hedging: HEDGING, breaker: { ...BREAKER, fallback } } },
        other: ["10.0.2.1:80"],
      },
      hosts: { reviews: [{}], other: [{}] },
    });
    test.network.script("*", inTurn(slow(600), ...Array.from({ length: 6 }, () => slow(20, 503)), slow(20)));
    const { call, exchange } = test.send("reviews");
    for (let each = 0; each < 6; each++) test.send("reviews"); // all fail within 20 ms: it opens
    await test.clock.advanceAsync(2_000);
    expect([exchange.events, call.attempts, call.cluster?.config.name]).toEqual([["head 200", "end"], 1, "reviews"]);
    for (const { limits, states } of test.engine.clusters.all()) {
      expect(limits).toMatchObject({ active: 0, retries: 0 });
      expect(states.every(({ inFlight }) => inFlight === 0)).toBe(true);
    }
  });

  it("endpoints whose breakers are open", async () => {
    const test = testEngine({
      clusters: {
        reviews: { endpoints: ENDPOINTS, policy: { hedging: HEDGING, breaker: { ...BREAKER, scope: "endpoint" } } },
      },
    });
    const bad = new Set(ENDPOINTS.slice(1));
    for (const id of ENDPOINTS) test.network.script(id, bad.has(id) ? slow(5, 503) : slow(5));
    for (let each = 0; each < 60; each++) {
      test.send("reviews");
      await test.clock.advanceAsync(6);
    }
    const before = test.network.written.length;
    test.network.script(ENDPOINTS[0]!, slow(400));
    const { call, exchange } = test.send("reviews");
    await test.clock.advanceAsync(1_000);
    expect([exchange.events, call.attempts, test.network.written.length - before]).toEqual([["head 200", "end"], 1, 1]);
  });

  it("the request it is made for being a repeat, or having repeated enough", async () => {
    const test = setup(slow(300));
    for (const [spentAbove, repeats, written] of [
      [0, 0, 3],
      [1, 0, 1],
      [0, 16, 1],
    ] as const) {
      const context = new InboundContext(Number.POSITIVE_INFINITY, [], undefined, spentAbove);
      context.repeats = repeats;
      const before = test.network.written.length;
      test.engine.contexts.run(context, () => test.send("reviews"));
      await test.clock.advanceAsync(1_000);
      expect(test.network.written.length - before).toBe(written);
    }
  });

  it("tries of the application's before it", async () => {
    const test = setup(silent(), { timeoutMs: 300 });
    const context = new InboundContext(Number.POSITIVE_INFINITY, []);
    for (const attempts of [3, 1]) {
      const { call } = test.engine.contexts.run(context, () => test.send("reviews"));
      await test.clock.advanceAsync(1_000);
      expect(call.attempts).toBe(attempts);
    }
  });
});

describe("beside hedges", () => {
  it("a mirror copies the request once, and copies are not hedged", async () => {
    const mirrors = [
      {
        destination: { cluster: "canary", host: "canary", port: 80, subset: "", weight: 100 },
        ratio: 1,
        field: "mirror",
      },
    ];
    const test = testEngine({
      clusters: {
        reviews: { endpoints: ENDPOINTS, policy: { hedging: HEDGING } },
        canary: { endpoints: ["10.0.1.1:80", "10.0.1.2:80"], policy: { hedging: HEDGING } },
      },
      hosts: { reviews: [{ mirrors }] },
    });
    test.network.script("*", slow(250));
    const { exchange } = test.send("reviews");
    await test.clock.advanceAsync(2_000);
    expect([exchange.events, exchange.attempts.length]).toEqual([["head 200", "end"], 3]);
    expect(exchange.mirrors.map(({ attempts }) => attempts.length)).toEqual([1]);
  });

  it("each attempt says how many were spent before it, and what time it has", async () => {
    const { callAndWait, network } = setup(silent(), { timeoutMs: 1_000 });
    await callAndWait();
    const header = (name: string) => network.written.map(({ headers }) => headers[headers.indexOf(name) + 1]);
    expect(header("x-inmesh-attempts-spent").slice(1)).toEqual(["1", "2"]);
    expect(header("x-envoy-attempt-count").slice(1)).toEqual(["2", "3"]);
    expect(header("x-inmesh-timeout-ms").map((ms) => Math.round(Number(ms) / 100))).toEqual([10, 9, 8]);
  });
});
