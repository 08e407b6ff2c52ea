import { describe, expect, it } from "vitest";
import { answers, refuses, silent } from "../testing/behaviour.js";
import { testEngine } from "../testing/test-engine.js";

const A = "10.0.0.1:80";
const B = "10.0.0.2:80";

function setup() {
  const removed: string[] = [];
  const test = testEngine(
    { clusters: { reviews: [A, B] } },
    { onEndpointRemoved: ({ endpoint }) => removed.push(endpoint.id) },
  );
  const { network, send, clock } = test;
  /** Which endpoints `calls` calls go to; they take 1 ms together. */
  const serve = (calls: number): string[] => {
    const sent = Array.from({ length: calls }, () => send("reviews").exchange.attempts[0]!.endpoint.endpoint.id);
    clock.advance(1);
    return sent;
  };
  network.script(A, refuses());
  const cluster = () => test.engine.clusters.all()[0]!;
  return { ...test, removed, serve, cluster, stateOf: (index: number) => cluster().states[index]! };
}

/** Calls until an endpoint, A unless told, has refused that often. */
function untilRefused({ serve, stateOf }: ReturnType<typeof setup>, refusals = 1, index = 0): void {
  for (let calls = 0; calls < 1_000; calls++) {
    serve(1);
    if (stateOf(index).refusals >= refusals) return;
  }
  throw new Error(`endpoint ${index} has not refused ${refusals} times in 1,000 calls`);
}

describe("an endpoint that refuses connections", () => {
  it("is avoided for 0.5 s, then tried again, then avoided twice as long, up to 10 s", () => {
    const test = setup();
    const waits: number[] = [];
    for (let refusal = 1; refusal <= 8; refusal++) {
      untilRefused(test, refusal);
      const { ejectedAt, ejectedUntil } = test.stateOf(0);
      waits.push(ejectedUntil - ejectedAt);
      expect(test.serve(50)).not.toContain(A);
      test.clock.advance(ejectedUntil - test.clock.now());
    }
    expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]);
  });

  it("is one refusal however many calls ran into it at once", () => {
    const { network, send, clock, cluster } = setup();
    network.script(A, refuses("ECONNREFUSED", 5));
    for (let n = 0; n < 100; n++) send("reviews");
    clock.advance(5);
    expect(cluster().states[0]).toMatchObject({ refusals: 1, ejectedUntil: 505 });
  });

  it.each([
    ["ECONNREFUSED", 3],
    ["EHOSTUNREACH", 3],
    ["ETIMEDOUT", 0],
    ["ENOTFOUND", 0],
    ["EMFILE", 0],
  ])("that nobody listens there is told every time, and not of a wait or a want of ours: %s %i", (code, times) => {
    const closed: string[] = [];
    const onEndpointClosed = (endpoint: string) => closed.push(endpoint);
    const { network, send, clock } = testEngine({ clusters: { reviews: [A] } }, { onEndpointClosed });
    network.script(A, refuses(code, 5));
    for (let n = 0; n < 3; n++) send("reviews");
    clock.advance(5);
    expect(closed).toEqual(Array.from({ length: times }, () => A));
  });

  it("is back for good once it answers", () => {
    const test = setup();
    untilRefused(test);
    test.network.script(A, answers());
    test.clock.advance(600);
    expect(new Set(test.serve(50))).toEqual(new Set([A, B]));
    expect(test.stateOf(0).refusals).toBe(0);
  });

  it("is still picked when all refuse, and is back at once when it answers then", () => {
    const test = setup();
    test.network.script(B, refuses());
    untilRefused(test);
    untilRefused(test, 1, 1);
    expect(new Set(test.serve(50))).toEqual(new Set([A, B]));
    test.network.script(B, answers());
    while (test.stateOf(1).ejectedUntil > 0) test.serve(1);
    expect(new Set(test.serve(50))).toEqual(new Set([B]));
  });

  it("is not readmitted by an answer to a call that began before", () => {
    const test = setup();
    test.publish({ clusters: { reviews: { endpoints: [A, B], loadBalancer: "roundRobin" } } });
    test.network.script(A, answers(200, { afterMs: 100 }));
    const before = Array.from({ length: 10 }, () => test.send("reviews")); // some of them on A
    test.clock.advance(10);
    test.network.script(A, refuses());
    untilRefused(test);
    test.clock.advance(200);
    expect(before.every(({ exchange }) => exchange.status === 200)).toBe(true);
    expect(test.stateOf(0).ejectedUntil).toBeGreaterThan(test.clock.now());
  });

  it.each(["EMFILE", "EADDRNOTAVAIL", "UND_ERR_DESTROYED"])("is not blamed for %s, which is ours", (code) => {
    const { network, serve, cluster } = setup();
    network.script(A, refuses(code));
    expect(new Set(serve(50))).toEqual(new Set([A, B]));
    expect(cluster().states[0]).toMatchObject({ failures: 0, refusals: 0, ejectedUntil: 0, inFlight: 0 });
  });
});

describe("ClusterRuntime", () => {
  it("tells of endpoints that left, once, and knows those that come back as new", () => {
    const { publish, removed, serve, cluster } = setup();
    serve(1);
    const first = cluster().states[1]!;
    publish({ clusters: { reviews: [A] } });
    publish({ clusters: { reviews: [A] } });
    expect([removed, first.removed]).toEqual([[B], true]);
    publish({ clusters: { reviews: [A, B] } });
    expect(cluster().states[1]).not.toBe(first);
  });

  it("tells of an endpoint when one of the processes behind it leaves, not when one comes, and keeps its state", () => {
    const { publish, removed, serve, cluster } = setup();
    const share = (...workloads: string[]) => publish({ clusters: { reviews: [{ id: B, workloads }] } });
    share("one");
    serve(1);
    const [state] = cluster().states;
    removed.length = 0;
    share("one", "two");
    expect(removed).toEqual([]);
    share("two");
    expect([removed, state?.removed, cluster().states]).toEqual([[B], false, [state]]);
  });

  it("takes over new weights and a new strategy, and keeps the load it knows", () => {
    const { network, send, publish, cluster } = setup();
    network.script("*", silent()).script(A, silent());
    for (let n = 0; n < 4; n++) send("reviews");
    const before = [...cluster().states];
    publish({
      clusters: { reviews: { endpoints: [{ id: A, weight: 3 }, B], loadBalancer: "roundRobin" } },
    });
    expect([...cluster().states]).toEqual(before);
    expect(cluster().states.reduce((sum, { inFlight }) => sum + inFlight, 0)).toBe(4);
    const sent = Array.from({ length: 400 }, () => send("reviews").exchange.attempts[0]!.endpoint.endpoint.id);
    expect(sent.filter((id) => id === A)).toHaveLength(300);
  });

  it("with PASSTHROUGH sends to the address the caller asked for, without an endpoint of its own", () => {
    const removed: string[] = [];
    const passThrough = { endpoints: [], loadBalancer: "passThrough" } as const;
    const { engine, send, publish, clock } = testEngine(
      { clusters: { ext: passThrough }, hosts: { "one.example": [{ to: "ext" }], "two.example": [{ to: "ext" }] } },
      { onEndpointRemoved: ({ endpoint }) => removed.push(endpoint.id) },
    );
    const ids = ["one.example", "two.example", "one.example"].map((host) => send(host).call.attempt!.endpoint.endpoint);
    expect(ids.map(({ id }) => id)).toEqual(["one.example:80", "two.example:80", "one.example:80"]);
    expect(ids[0]).toBe(ids[2]);
    clock.advance(10);
    expect(engine.clusters.all()[0]!.stats.read()).toMatchObject({ calls: 3, successes: 3, inFlight: 0 });
    publish({ clusters: { ext: [A] }, hosts: { "one.example": [{ to: "ext" }] } });
    expect(removed).toEqual(["one.example:80", "two.example:80"]);
    expect(send("one.example").call.attempt!.endpoint.endpoint.id).toBe(A);
  });

  it("B8: keeps no more than 256 addresses of callers' making", () => {
    const removed: string[] = [];
    const hosts = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`h${n}.example`, [{ to: "ext" }]]));
    const { send } = testEngine(
      { clusters: { ext: { endpoints: [], loadBalancer: "passThrough" } }, hosts },
      { onEndpointRemoved: ({ endpoint }) => removed.push(endpoint.id) },
    );
    for (const host of Object.keys(hosts)) send(host);
    expect([removed.length, removed[0]]).toEqual([44, "h0.example:80"]);
  });
});
