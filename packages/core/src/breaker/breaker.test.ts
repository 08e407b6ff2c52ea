import type { BreakerPolicy } from "@inmesh/model";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Call } from "../call/call.js";
import { settle } from "../runtime/fake-clock.js";
import { answers, flaky, refuses, resets, silent } from "../testing/behaviour.js";
import type { FakeCluster, FakeSnapshotSpec } from "../testing/fake-snapshot.js";
import { type TestCallOptions, type TestEngine, testEngine } from "../testing/test-engine.js";
import { BREAKER } from "./breaker-policy.test.helper.js";
import { loadOpossum } from "./opossum-switch.js";

beforeAll(loadOpossum);

let mesh: TestEngine;
let events: string[] = [];
afterEach(() => mesh.engine.close());

function start(
  breaker: Partial<BreakerPolicy> = {},
  { endpoints = ["e:1"], ...others }: Partial<FakeCluster> = {},
  hosts?: FakeSnapshotSpec["hosts"],
): FakeSnapshotSpec {
  const spec: FakeSnapshotSpec = {
    clusters: {
      a: { endpoints, loadBalancer: "roundRobin", ...others, policy: { breaker: { ...BREAKER, ...breaker } } },
      b: ["f:1"],
    },
    hosts: hosts ?? { a: [{}], b: [{}] },
  };
  events = [];
  mesh = testEngine(spec, { onBreaker: (message) => events.push(message) });
  return spec;
}

/** One call and what it came to: `200`, `fail BREAKER_OPEN`. */
async function one(options?: TestCallOptions, ms = 2): Promise<string> {
  const { exchange, call } = mesh.send("a", options);
  await mesh.clock.advance(ms);
  await settle();
  return outcome(call, exchange.events);
}

/** One call with all its attempts. */
async function ended() {
  const sent = mesh.send("a");
  for (let step = 0; step < 100 && !sent.call.ended; step++) {
    await mesh.clock.advance(1);
    await settle();
  }
  return sent;
}

const outcome = (call: Call, heard: readonly string[]) => (heard[0]?.startsWith("fail") ? heard[0] : `${call.status}`);

async function several(count: number): Promise<string[]> {
  const outcomes: string[] = [];
  for (let each = 0; each < count; each++) outcomes.push(await one());
  return outcomes;
}

const breakers = () => mesh.engine.clusters.find("a")!.breakers!; // called before
const state = () => breakers().all()[0]!.state(mesh.clock.now()); // one

describe("closed", () => {
  it("opens when more than the share failed, not at it, and not below the minimum of attempts", async () => {
    start();
    mesh.network.script("*", answers(503));
    expect(await several(3)).toEqual(["503", "503", "503"]);
    expect(state()).toBe("closed");
    await one();
    expect(state()).toBe("open");
    expect(events).toEqual(['"a" opened for 5000 ms: 100% of 4 attempts in 10000 ms failed, more than 50%']);
  });

  it("stays closed at exactly the share", async () => {
    start();
    for (const status of [200, 503, 200, 503, 200, 503]) {
      mesh.network.script("*", answers(status));
      await one();
    }
    expect(state()).toBe("closed");
    mesh.network.script("*", answers(503));
    await one();
    expect(state()).toBe("open");
  });

  it("forgets what is older than the window", async () => {
    start();
    mesh.network.script("*", answers(503));
    await several(3);
    await mesh.clock.advance(10_000);
    await several(3);
    expect(state()).toBe("closed");
  });

  it("does not count a 4xx, a call given up by its caller, or a time that ran out above", async () => {
    start();
    mesh.network.script("*", answers(404));
    await several(10);
    mesh.network.script("*", silent());
    for (let each = 0; each < 10; each++) mesh.send("a").call.abort(new Error("gone"));
    expect([state(), breakers().all()[0]!.counts(mesh.clock.now())]).toEqual([
      "closed",
      { requests: 10, failures: 0, slow: 0 },
    ]);
  });

  it("B10: counts each attempt, not each call", async () => {
    start({}, {}, { a: [{ retry: { on: ["5xx"], maxAttempts: 4, backoffBaseMs: 0 } }] });
    mesh.network.script("*", answers(503));
    await ended();
    expect([mesh.network.seen("e:1"), state()]).toEqual([4, "open"]);
  });

  it("opens for slow attempts as well, whether they succeed or not", async () => {
    start({ slow: { slowerThanMs: 100, ratio: 0.5 } });
    mesh.network.script("*", answers(200, { afterMs: 101 }));
    for (let each = 0; each < 4; each++) await one({}, 101);
    expect(state()).toBe("open");
    expect(events[0]).toContain("100% of 4 attempts in 10000 ms took longer than 100 ms, more than 50%");
  });

  it("takes an answer that is late because this process stood still for no slow one", async () => {
    start({ slow: { slowerThanMs: 100, ratio: 0.5 } });
    mesh.network.script("*", answers(200, { afterMs: 200 }));
    mesh.engine.stalls.spoilt = () => true;
    for (let each = 0; each < 6; each++) await one({}, 200);
    expect(state()).toBe("closed");
  });

  it("counts the time in which an attempt waited for a connection for nobody", async () => {
    start({ slow: { slowerThanMs: 100, ratio: 0.5 } });
    await one();
    const { limits } = mesh.engine.clusters.find("a")!; // called
    mesh.network.script("*", { kind: "queue" });
    for (let each = 0; each < 6; each++) {
      const attempt = mesh.send("a").exchange.attempts[0]!; // sent
      limits.wait(attempt);
      await mesh.clock.advance(500);
      limits.resume(attempt);
      attempt.started(false, () => {});
      attempt.head(200, () => undefined);
      attempt.complete();
    }
    await settle();
    expect(breakers().all()[0]!.counts(mesh.clock.now())).toEqual({ requests: 7, failures: 0, slow: 0 });
  });
});

describe("open", () => {
  async function opened(breaker: Partial<BreakerPolicy> = {}, hosts?: FakeSnapshotSpec["hosts"]) {
    const spec = start(breaker, {}, hosts);
    mesh.network.script("*", answers(503));
    await several(4);
    return spec;
  }

  it("B5: refuses with an error that names policy, service, cause, since when and the next probe", async () => {
    await opened();
    await mesh.clock.advance(1_000);
    const { exchange } = mesh.send("a");
    expect(exchange.error).toMatchObject({ code: "BREAKER_OPEN", status: 503, flag: "UO", cluster: "a" });
    expect((exchange.error as Error).message).toBe(
      'GET http://a/ was not sent: CircuitBreaker default/a is open for "a" since 1 s: 100% of 4 attempts in 10000 ms failed, more than 50%; next probe in 4 s. See: inmesh describe a (BREAKER_OPEN)',
    );
    expect([mesh.network.seen("e:1"), breakers().all()[0]!.refused]).toEqual([4, 1]);
  });

  it("ends the retries of a call that it opens during, and of those it was open for already", async () => {
    start({}, {}, { a: [{ retry: { on: ["5xx"], maxAttempts: 9, backoffBaseMs: 0 } }] });
    mesh.network.script("*", answers(503));
    const { call, exchange } = await ended();
    expect([call.attempts, mesh.network.seen("e:1")]).toEqual([4, 4]);
    expect((exchange.error as Error).message).toMatch(
      /^GET http:\/\/a\/ was not sent again \(attempt 1 to e:1 was answered 503 after 1 ms; attempt 2 .+\): CircuitBreaker default\/a is open/,
    );
    await mesh.clock.advance(5_000);
    mesh.network.script("*", answers(503, { afterMs: 5 }));
    const probe = mesh.send("a");
    await mesh.clock.advance(5); // it fails, and nothing else is let through
    await settle();
    expect(probe.call.noRetry).toBe("breaker_open");
    expect(probe.exchange.status).toBe(503);
  });

  it("survives snapshots, and takes what policy says now", async () => {
    const spec = await opened();
    mesh.publish(spec);
    expect(await one()).toBe("fail BREAKER_OPEN");
    mesh.publish({ ...spec, clusters: { ...spec.clusters, a: ["e:1"] } });
    expect(await one()).toBe("503");
    mesh.publish(spec);
    expect(await one()).toBe("503"); // a new one
  });

  it("B11: is half open by the clock's reading alone, also after the process was frozen", async () => {
    await opened();
    mesh.network.script("*", answers(200));
    await mesh.clock.advance(4_980);
    expect([state(), await one()]).toEqual(["open", "fail BREAKER_OPEN"]);
    await mesh.clock.advance(1_000_000);
    expect([state(), await one()]).toEqual(["halfOpen", "200"]);
  });

  it("leaves no timer behind", async () => {
    await opened();
    mesh.engine.close();
    expect(mesh.clock.pending).toBe(0);
  });
});

describe("half open", () => {
  /** As opened above, its wait over. */
  async function halfOpen(breaker: Partial<BreakerPolicy> = {}): Promise<void> {
    start(breaker);
    mesh.network.script("*", answers(503));
    await several(4);
    await mesh.clock.advance(5_000);
    mesh.network.written.length = 0;
  }

  /** As many calls at once; how many were let through. */
  function burst(count: number): number {
    const before = mesh.network.written.length;
    for (let each = 0; each < count; each++) mesh.send("a");
    return mesh.network.written.length - before;
  }

  it("B3, B4: lets one through, then two, then four at a time, and closes when enough did well", async () => {
    await halfOpen({ probes: 9 });
    mesh.network.script("*", answers(200, { afterMs: 10 }));
    const rounds: number[] = [];
    for (let round = 0; round < 4; round++) {
      rounds.push(burst(10));
      await mesh.clock.advance(10);
      await settle();
    }
    expect(rounds).toEqual([1, 2, 4, 2]);
    expect([state(), burst(20)]).toEqual(["closed", 20]);
    expect(events.slice(1)).toEqual(['"a" is half open: 9 probes decide', '"a" closed: its probes did well']);
  });

  it("opens again as soon as too many failed, for another wait", async () => {
    await halfOpen();
    mesh.network.script("*", answers(503));
    expect(await several(3)).toEqual(["503", "503", "fail BREAKER_OPEN"]);
    expect(events.at(-1)).toBe('"a" opened for 5000 ms: 2 of 2 probes failed, too many of 3');
    await mesh.clock.advance(4_000);
    expect(await one()).toBe("fail BREAKER_OPEN");
    await mesh.clock.advance(1_000);
    mesh.network.script("*", answers(200));
    expect(await several(4)).toEqual(["200", "200", "200", "200"]);
    expect(state()).toBe("closed");
  });

  it("closes with a failure that policy bears", async () => {
    await halfOpen({ probes: 4 });
    for (const status of [200, 503, 200, 200]) {
      mesh.network.script("*", answers(status));
      await one();
    }
    expect(state()).toBe("closed");
  });

  it("B2: gets its place back from a probe that says nothing", async () => {
    await halfOpen({ probes: 1 });
    mesh.network.script("*", silent());
    const { call } = mesh.send("a");
    expect(await one()).toBe("fail BREAKER_OPEN");
    call.abort(new Error("gone"));
    mesh.network.script("*", answers(200));
    expect(await one()).toBe("200");
    expect(state()).toBe("closed");
  });

  it("does not wait for ever for a probe that hangs", async () => {
    await halfOpen({ probes: 1 });
    mesh.network.script("*", silent());
    mesh.send("a");
    await mesh.clock.advance(4_999);
    expect([state(), await one({}, 1)]).toEqual(["halfOpen", "fail BREAKER_OPEN"]);
    await one();
    expect([state(), events.at(-1)]).toEqual(["open", '"a" opened for 5000 ms: 1 of 1 probes failed, too many of 1']);
  });

  it("judges a probe whose body goes on by its head", async () => {
    await halfOpen({ probes: 1 });
    mesh.network.script("*", answers(200, { afterMs: 1, bodyMs: 1_000_000 }));
    expect(burst(1)).toBe(1);
    await mesh.clock.advance(1);
    burst(1);
    await settle();
    expect(state()).toBe("closed");
  });

  it("takes no notice of attempts from before it opened", async () => {
    start();
    mesh.network.script("*", answers(503, { afterMs: 6_000 }));
    const late = Array.from({ length: 4 }, () => mesh.send("a"));
    mesh.network.script("*", answers(503));
    await several(4);
    await mesh.clock.advance(5_100);
    mesh.network.script("*", answers(200));
    expect(await several(3)).toEqual(["200", "200", "200"]);
    expect(state()).toBe("closed");
    await mesh.clock.advance(6_000);
    await settle();
    expect(late.map(({ call }) => call.status)).toEqual([503, 503, 503, 503]);
    expect(state()).toBe("closed");
  });

  it("takes slow probes for bad ones where policy calls slow bad", async () => {
    await halfOpen({ probes: 1, slow: { slowerThanMs: 100, ratio: 0.5 } });
    mesh.network.script("*", answers(200, { afterMs: 150 }));
    await one({}, 150);
    expect(events.at(-1)).toBe('"a" opened for 5000 ms: 1 of 1 probes were slow, too many of 1');
  });
});

describe("scopes", () => {
  it("of an endpoint: the others are called, and all of them broken are an error", async () => {
    start({ scope: "endpoint" }, { endpoints: ["e:1", "e:2"] });
    mesh.network.script("e:1", answers(503));
    const outcomes = await several(20);
    expect(outcomes.filter((each) => each === "503")).toHaveLength(4);
    expect([mesh.network.seen("e:1"), mesh.network.seen("e:2")]).toEqual([4, 16]);
    mesh.network.script("e:2", resets());
    await several(30);
    const { exchange } = mesh.send("a");
    expect((exchange.error as Error).message).toContain('is open for endpoint e:1 of "a" since');
    await mesh.clock.advance(5_000);
    mesh.network.script("e:1", answers(200)).script("e:2", answers(200));
    expect(new Set(await several(12))).toEqual(new Set(["200"]));
    expect(
      breakers()
        .all()
        .map((each) => each.state(mesh.clock.now())),
    ).toEqual(["closed", "closed"]);
  });

  it("of an endpoint: a retry goes to another one, not into the open one", async () => {
    start({ scope: "endpoint" }, { endpoints: ["e:1", "e:2"] }, { a: [{ retry: { on: ["5xx"], backoffBaseMs: 0 } }] });
    mesh.network.script("e:1", answers(503));
    const outcomes: string[] = [];
    for (let each = 0; each < 20; each++) outcomes.push(`${(await ended()).call.status}`);
    expect(new Set(outcomes)).toEqual(new Set(["200"]));
    expect(mesh.network.seen("e:1")).toBe(4);
  });

  it("of an endpoint: forgets one that left", async () => {
    const spec = start({ scope: "endpoint" }, { endpoints: ["e:1", "e:2"] });
    await several(4);
    expect(breakers().all()).toHaveLength(2);
    mesh.publish({ ...spec, clusters: { a: { ...(spec.clusters!["a"] as FakeCluster), endpoints: ["e:2"] } } });
    expect(breakers().all()).toHaveLength(1);
  });

  it("B1: of a rule: the others go on", async () => {
    const bad = { name: "bad", matches: [{ matches: ({ path }: { path: string }) => path === "/bad" }] as never };
    start({ scope: "route" }, {}, { a: [bad, { name: "good" }] });
    mesh.network.script("*", ({ call }) => answers(call.path === "/bad" ? 503 : 200));
    for (let each = 0; each < 5; each++) await one({ path: "/bad" });
    expect([await one({ path: "/bad" }), await one()]).toEqual(["fail BREAKER_OPEN", "200"]);
    expect(events[0]).toContain('rule "bad" to "a" opened');
  });
});

it("B2: keeps to its states under random outcomes, orders and abandoned calls", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    start({ minRequests: 2, openMs: 50, windowMs: 200, probes: 3 });
    const { random } = mesh.engine;
    mesh.network.script("*", (_, chance) => {
      const draw = chance.next();
      if (draw < 0.2) return answers(200, { afterMs: chance.int(20), bodyMs: chance.int(20) });
      if (draw < 0.5) return answers(503, { afterMs: chance.int(20) });
      if (draw < 0.7) return flaky(0.5, refuses(), resets(chance.int(9)))(_, chance);
      return draw < 0.8 ? silent() : answers();
    });
    const calls: Call[] = [];
    for (let step = 0; step < 300; step++) {
      calls.push(mesh.send("a").call);
      const { out = 0, done = 0 } = breakers().all()[0]?.probes ?? {};
      expect(out).toBeLessThanOrEqual(4);
      expect(out + done).toBeLessThanOrEqual(3);
      if (random.next() < 0.3) calls[random.int(calls.length)]!.abort(new Error("gone")); // in range
      await mesh.clock.advance(random.int(10));
    }
    for (const call of calls) call.abort(new Error("gone"));
    mesh.network.script("*", answers(200));
    await mesh.clock.advance(1_000);
    const last = await several(12);
    expect(last.slice(-5), `seed ${seed}`).toEqual(["200", "200", "200", "200", "200"]); // it recovers, whatever was
    const order = events.map((event) => /opened|half open|closed/.exec(event)![0]); // one of them
    for (const [index, event] of order.entries()) {
      const before = order[index - 1] ?? "closed";
      expect(`${before} → ${event}`).toMatch(
        /^(closed → opened|half open → opened|opened → half open|half open → closed)$/,
      );
    }
    mesh.engine.close();
  }
});

it("of an endpoint: refuses also where the request itself names the endpoint", async () => {
  start({ scope: "endpoint" }, { endpoints: [], resolution: "passThrough", loadBalancer: "passThrough" }, { a: [{}] });
  mesh.network.script("*", answers(503));
  expect(await several(5)).toEqual(["503", "503", "503", "503", "fail BREAKER_OPEN"]);
  const { limits } = mesh.engine.clusters.find("a")!; // called
  expect([limits.active, mesh.network.open]).toEqual([0, 0]);
  await mesh.clock.advance(5_000);
  mesh.network.script("*", answers(200));
  expect(await several(4)).toEqual(["200", "200", "200", "200"]);
});
