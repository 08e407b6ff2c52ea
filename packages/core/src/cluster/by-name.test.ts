import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, it } from "vitest";
import { settle } from "../runtime/fake-clock.js";
import { refuses } from "../testing/behaviour.js";
import type { FakeCluster } from "../testing/fake-snapshot.js";
import { testEngine } from "../testing/test-engine.js";

const NAME = "api.example.com";

function setup(cluster: Partial<FakeCluster> = {}) {
  const removed: string[] = [];
  const spec = { clusters: { api: { endpoints: [`${NAME}:443`], resolution: "dns", ...cluster } as const } };
  const test = testEngine(spec, { onEndpointRemoved: ({ endpoint }) => removed.push(endpoint.id) });
  const { clock, send, engine } = test;
  const ids = (): readonly string[] => engine.clusters.all().flatMap(({ states }) => states.map((s) => s.endpoint.id));
  /** One call, to its end. @returns its status and where it went */
  const call = async () => {
    const { call: made } = send("api");
    await clock.advanceAsync(1);
    return { status: made.status, to: made.attempt?.endpoint.endpoint, error: made.error as Error | undefined };
  };
  return { ...test, removed, ids, call };
}

describe("resolution DNS", () => {
  it("looks nothing up before a call, and lets the first calls wait for one and the same lookup", async () => {
    const { resolver, clock, send, ids } = setup();
    resolver.answer(NAME, ["10.0.0.2", "10.0.0.1", "2001:db8::1"], 30_000).delay(NAME, 50);
    await clock.advanceAsync(10_000);
    expect(resolver.asked).toEqual([]);
    const calls = Array.from({ length: 20 }, () => send("api"));
    await clock.advanceAsync(49);
    expect(calls.map(({ call }) => call.attempts)).toEqual(Array(20).fill(0));
    await clock.advanceAsync(10);
    expect(calls.map(({ exchange }) => exchange.status)).toEqual(Array(20).fill(200));
    expect(resolver.asked).toEqual([NAME]);
    expect(ids()).toEqual(["10.0.0.1:443", "10.0.0.2:443", "[2001:db8::1]:443"]);
  });

  it("makes no call wait, and asks nobody, once it knows the addresses", async () => {
    const { resolver, send, call } = setup();
    resolver.answer(NAME, ["10.0.0.1"], 30_000);
    await call();
    expect(send("api").call.attempts).toBe(1); // within the same turn
    expect(resolver.asked).toHaveLength(1);
  });

  it.each([
    ["30 s, its TTL", 30_000, 30_000],
    ["5 s, where the TTL is shorter", 1_000, 5_000],
    ["dnsRefreshRate, where there is no TTL", undefined, 60_000],
    ["dnsRefreshRate, where the TTL is 0, as Envoy", 0, 60_000],
    ["a day, where the TTL is longer", 40 * 86_400_000, 86_400_000],
  ])("asks again after %s", async (_, ttlMs, afterMs) => {
    const { resolver, clock, call, ids } = setup();
    resolver.answer(NAME, ["10.0.0.1"], ttlMs);
    await call();
    resolver.answer(NAME, ["10.0.0.1", "10.0.0.2"], ttlMs);
    await clock.advanceAsync(afterMs - 2);
    expect(ids()).toEqual(["10.0.0.1:443"]);
    await clock.advanceAsync(2);
    expect(ids()).toEqual(["10.0.0.1:443", "10.0.0.2:443"]);
  });

  it("keeps what it knows of an address that stays, and tells of one that left", async () => {
    const { resolver, clock, call, engine, removed } = setup();
    resolver.answer(NAME, ["10.0.0.1", "10.0.0.2"], 10_000);
    await call();
    const [first] = engine.clusters.all()[0]!.states;
    resolver.answer(NAME, ["10.0.0.3", "10.0.0.1"], 10_000);
    await clock.advanceAsync(10_000);
    expect(engine.clusters.all()[0]!.states[0]).toBe(first);
    expect(removed).toEqual(["10.0.0.2:443"]);
  });

  it("keeps the last good answer while lookups fail, and asks after 1 s, 2 s, 4 s …", async () => {
    const { resolver, clock, call, ids } = setup();
    resolver.answer(NAME, ["10.0.0.1"], 10_000);
    await call();
    resolver.fail(NAME, "SERVFAIL");
    await clock.advanceAsync(10_000);
    const times: number[] = [];
    for (let ms = 0; ms < 130_000; ms += 100) {
      const before = resolver.asked.length;
      await clock.advanceAsync(100);
      if (resolver.asked.length > before) times.push(clock.now());
    }
    const waits = times.map((at, index) => at - (times[index - 1] ?? 10_000));
    const ceilings = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000];
    for (const [index, wait] of waits.slice(0, 6).entries()) {
      expect(wait).toBeGreaterThanOrEqual(ceilings[index]! / 2 - 100);
      expect(wait).toBeLessThanOrEqual(ceilings[index]! + 100);
    }
    expect(waits.length).toBeGreaterThanOrEqual(6);
    expect(ids()).toEqual(["10.0.0.1:443"]);
    expect(await call()).toMatchObject({ status: 200 });
    resolver.answer(NAME, ["10.0.0.9"], 10_000);
    await clock.advanceAsync(60_000);
    expect(ids()).toEqual(["10.0.0.9:443"]);
  });

  it("answers 503 and says why when the first lookup fails, and the next call asks again", async () => {
    const { resolver, clock, call } = setup();
    resolver.fail(NAME, "queryA ESERVFAIL api.example.com");
    const failed = await call();
    expect(failed.status).toBe(503);
    expect(failed.error).toMatchObject({ code: "NO_ENDPOINT" });
    expect(failed.error?.message).toContain('"api.example.com" could not be looked up: queryA ESERVFAIL');
    expect((await call()).status).toBe(503);
    expect(resolver.asked).toHaveLength(1); // not a lookup for every call
    resolver.answer(NAME, ["10.0.0.1"], 30_000);
    await clock.advanceAsync(999);
    expect((await call()).status).toBe(200);
  });

  it("answers 503 once a name without an address has been seen twice", async () => {
    const { resolver, clock, call, removed } = setup();
    resolver.answer(NAME, ["10.0.0.1"], 10_000);
    await call();
    resolver.answer(NAME, []);
    await clock.advanceAsync(10_000);
    expect(await call()).toMatchObject({ status: 200 }); // perhaps a slip of the server's
    await clock.advanceAsync(5_000);
    expect(removed).toEqual(["10.0.0.1:443"]);
    const { status, error } = await call();
    expect(status).toBe(503);
    expect(error).toMatchObject({ code: "NO_ENDPOINT" });
    expect(error?.message).toContain('"api.example.com" has no address in the DNS');
  });

  it("gives a call up that has waited as long as a connection may take, and forgets one that is aborted", async () => {
    const { resolver, clock, send } = setup();
    resolver.answer(NAME, ["10.0.0.1"]).delay(NAME, 60_000);
    const first = send("api");
    const aborted = send("api");
    await clock.advanceAsync(5_000);
    const timers = clock.pending;
    aborted.call.abort(new Error("no longer wanted"));
    await settle();
    expect(clock.pending).toBe(timers - 1); // it keeps no process alive
    await clock.advanceAsync(5_000);
    expect(first.call.error).toMatchObject({ code: "NO_ENDPOINT" });
    expect(String(first.call.error)).toContain("still being looked up");
    expect(resolver.asked).toHaveLength(1);
    await clock.advanceAsync(50_000);
    expect([first.call.attempts, aborted.call.attempts]).toEqual([0, 0]);
  });

  it("does not wait longer than the rule's timeout", async () => {
    const { resolver, clock, send, publish } = setup();
    const clusters = { api: { endpoints: [`${NAME}:443`], resolution: "dns" } } as const;
    publish({ clusters, hosts: { api: [{ timeoutMs: 300 }] } });
    resolver.delay(NAME, 5_000);
    const { call } = send("api");
    await clock.advanceAsync(400);
    expect([call.status, call.endedAt - call.startedAt < 350]).toEqual([504, true]);
  });

  it("uses addresses beside names at once, with their weights, and counts one address of two names once", async () => {
    const endpoints = ["10.0.0.7:443", `${NAME}:443`, { id: "b.example.com:443", weight: 3 }];
    const { resolver, clock, send, ids, engine } = setup({ endpoints });
    resolver.answer(NAME, ["10.0.0.1"]).answer("b.example.com", ["10.0.0.1", "10.0.0.2"]).delay("b.example.com", 20);
    const first = send("api");
    expect(first.call.attempt?.endpoint.endpoint.id).toBe("10.0.0.7:443");
    await clock.advanceAsync(30);
    expect(ids()).toEqual(["10.0.0.1:443", "10.0.0.2:443", "10.0.0.7:443"]);
    expect(engine.clusters.all()[0]!.states.map(({ endpoint }) => endpoint.weight)).toEqual([1, 3, 1]);
  });

  it("asks once for a name that several clusters share, and no more when the last of them is gone", async () => {
    const shared = { endpoints: [`${NAME}:443`], resolution: "dns" } as const;
    const { resolver, clock, send, publish } = testEngine({ clusters: { a: shared, b: shared } });
    resolver.answer(NAME, ["10.0.0.1"], 10_000);
    const calls = [send("a"), send("b")];
    await clock.advanceAsync(1);
    expect([calls.map(({ exchange }) => exchange.status), resolver.asked.length]).toEqual([[200, 200], 1]);
    publish({ clusters: { b: shared } });
    await clock.advanceAsync(10_000);
    expect(resolver.asked).toHaveLength(2);
    publish({ clusters: {} });
    await clock.advanceAsync(100_000);
    expect(resolver.asked).toHaveLength(2);
  });

  it("goes on in each caller's own async context, and looks up in nobody's", async () => {
    const { resolver, clock, prepare, engine } = setup();
    resolver.answer(NAME, ["10.0.0.1"], 10_000).delay(NAME, 20);
    const callers = new AsyncLocalStorage<string>();
    const lookups: unknown[] = [];
    const resolve = resolver.resolve.bind(resolver);
    resolver.resolve = (name) => {
      lookups.push(callers.getStore());
      return resolve(name);
    };
    const sent: unknown[] = [];
    for (const caller of ["one", "two"]) {
      const { call, exchange } = prepare("api");
      const send = exchange.send.bind(exchange);
      exchange.send = (attempt) => {
        sent.push(callers.getStore());
        send(attempt);
      };
      callers.run(caller, () => engine.start(call));
    }
    await clock.advanceAsync(15_000);
    expect([sent, lookups]).toEqual([
      ["one", "two"],
      [undefined, undefined],
    ]);
  });

  it("arms no timer any more once the mesh is closed", async () => {
    const { resolver, clock, call, engine } = setup();
    resolver.answer(NAME, ["10.0.0.1"], 10_000);
    const before = clock.pending;
    await call();
    engine.close();
    await clock.advanceAsync(100_000);
    expect([resolver.asked.length, clock.pending <= before]).toEqual([1, true]);
  });

  it("tries the next address when one refuses", async () => {
    const { resolver, network, clock, send, publish } = setup();
    const clusters = { api: { endpoints: [`${NAME}:443`], resolution: "dns" } } as const;
    publish({ clusters, hosts: { api: [{ retry: { on: ["connect-failure"] } }] } });
    resolver.answer(NAME, ["10.0.0.1", "10.0.0.2"]);
    network.script("10.0.0.1:443", refuses());
    const calls = Array.from({ length: 10 }, () => send("api"));
    await clock.advanceAsync(500);
    expect(calls.map(({ exchange }) => exchange.status)).toEqual(Array(10).fill(200));
  });
});

describe("resolution DNS_ROUND_ROBIN", () => {
  const setupOne = () => setup({ resolution: "dnsRoundRobin" });

  it("is one endpoint, whose new connections go to the first address of the last answer", async () => {
    const { resolver, clock, call, ids, removed, engine } = setupOne();
    resolver.answer(NAME, ["10.0.0.2", "10.0.0.1"], 10_000);
    const first = await call();
    expect([first.status, first.to?.address]).toEqual([200, "10.0.0.2"]);
    const [state] = engine.clusters.all()[0]!.states;
    resolver.answer(NAME, ["10.0.0.1", "10.0.0.2"], 10_000);
    await clock.advanceAsync(10_000);
    expect((await call()).to?.address).toBe("10.0.0.1");
    expect(ids()).toEqual([`${NAME}:443`]);
    expect(engine.clusters.all()[0]!.states[0]).toBe(state); // and with it the connections that are open
    expect(removed).toEqual([]);
  });

  it("keeps its address when the name has none any more, as Envoy", async () => {
    const { resolver, clock, call } = setupOne();
    resolver.answer(NAME, ["10.0.0.2"], 10_000);
    await call();
    resolver.answer(NAME, []);
    await clock.advanceAsync(100_000);
    expect((await call()).to?.address).toBe("10.0.0.2");
  });
});

describe("resolution DYNAMIC_DNS", () => {
  const hosts = (...names: string[]) => Object.fromEntries(names.map((name) => [name, [{ to: "wild" }]]));
  const clusters = { wild: { endpoints: [], resolution: "dynamicDns", host: "*.example.com" } } as const;

  it("looks up each request's own host when it is called, once, and connects to its first address", async () => {
    const { resolver, clock, send } = testEngine({ clusters, hosts: hosts("a.example.com", "b.example.com") });
    resolver.answer("a.example.com", ["10.0.0.1", "10.0.0.9"], 30_000).answer("b.example.com", ["10.0.0.2"], 30_000);
    const calls = ["a.example.com", "b.example.com", "a.example.com"].map((host) => send(host));
    await clock.advanceAsync(1);
    expect(calls.map(({ call }) => call.attempt?.endpoint.endpoint.address)).toEqual([
      "10.0.0.1",
      "10.0.0.2",
      "10.0.0.1",
    ]);
    expect(calls[0]!.call.attempt?.endpoint).toBe(calls[2]!.call.attempt?.endpoint);
    expect(resolver.asked).toEqual(["a.example.com", "b.example.com"]);
  });

  it("goes to the new address once the old one's TTL is over, with the same endpoint", async () => {
    const { resolver, clock, send } = testEngine({ clusters, hosts: hosts("a.example.com") });
    resolver.answer("a.example.com", ["10.0.0.1"], 10_000);
    const first = send("a.example.com");
    await clock.advanceAsync(1);
    resolver.answer("a.example.com", ["10.0.0.5"], 10_000);
    await clock.advanceAsync(10_000);
    const second = send("a.example.com");
    expect(second.call.attempt?.endpoint).toBe(first.call.attempt?.endpoint);
    expect(second.call.attempt?.endpoint.endpoint.address).toBe("10.0.0.5");
  });

  it("answers 503 and says why for a name that nobody knows", async () => {
    const { clock, send } = testEngine({ clusters, hosts: hosts("nope.example.com") });
    const { call } = send("nope.example.com");
    await clock.advanceAsync(1);
    expect([call.status, String(call.error)]).toEqual([503, expect.stringContaining('"nope.example.com" has no')]);
  });

  it("goes on looking up a host that is called", async () => {
    const { resolver, clock, send, engine } = testEngine({ clusters, hosts: hosts("a.example.com") });
    resolver.answer("a.example.com", ["10.0.0.1"], 30_000);
    const endpoints = new Set();
    for (let minute = 0; minute < 10; minute++) {
      const { call } = send("a.example.com");
      await clock.advanceAsync(60_000);
      endpoints.add(call.attempt?.endpoint);
    }
    expect([endpoints.size, engine.clusters.all()[0]!.states.length]).toEqual([1, 1]);
  });

  it("lets go of a host that nobody has called for 5 minutes, and of the oldest beyond 256", async () => {
    const many = Array.from({ length: 300 }, (_, n) => `h${n}.example.com`);
    const removed: string[] = [];
    const { resolver, clock, send, engine } = testEngine(
      { clusters, hosts: hosts(...many) },
      { onEndpointRemoved: ({ endpoint }) => removed.push(endpoint.id) },
    );
    for (const name of many) resolver.answer(name, ["10.0.0.1"], 30_000);
    for (const name of many) send(name);
    await settle();
    await clock.advanceAsync(1);
    expect(engine.clusters.all()[0]!.states).toHaveLength(256);
    expect(removed).toHaveLength(44);
    await clock.advanceAsync(6 * 60_000);
    expect(engine.clusters.all()[0]!.states).toHaveLength(0);
    const asked = resolver.asked.length;
    await clock.advanceAsync(6 * 60_000);
    expect(resolver.asked).toHaveLength(asked);
  });
});
