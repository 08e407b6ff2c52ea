import type { OutlierPolicy } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { answers, type Behaviour, refuses, resets, silent } from "../testing/behaviour.js";
import { fakeOutlier } from "../testing/fake-snapshot.js";
import { testEngine } from "../testing/test-engine.js";

const idOf = (n: number): string => `10.0.0.${n}:80`;

/** Endpoints in turn, so that each gets its share; each outlier field as in an empty block but for those given. */
function setup(count: number, outlier: Partial<OutlierPolicy> | undefined) {
  const said: string[] = [];
  const endpoints = Array.from({ length: count }, (_, n) => idOf(n));
  const specOf = (given: Partial<OutlierPolicy> | undefined, ids: readonly string[] = endpoints) => ({
    clusters: {
      pay: {
        endpoints: ids,
        loadBalancer: "roundRobin" as const,
        policy: given === undefined ? {} : { outlier: fakeOutlier(given) },
      },
    },
    hosts: { pay: [{ timeoutMs: 2_000 }] },
  });
  const test = testEngine(specOf(outlier), { onHealth: (message) => said.push(message) });
  const { clock, network, send, engine } = test;
  /** Where `calls` calls go to, one after the other; -1 for nowhere. */
  const serve = (calls: number): number[] =>
    Array.from({ length: calls }, () => {
      const { exchange } = send("pay");
      clock.advance(1);
      return endpoints.indexOf(exchange.attempts[0]?.endpoint.endpoint.id ?? "");
    });
  const states = () => engine.clusters.all()[0]!.states;
  const out = () => states().flatMap(({ outlierUntil }, n) => (outlierUntil > clock.now() ? [n] : []));
  const script = (n: number, behaviour: Behaviour) => network.script(idOf(n), behaviour);
  const change = (next: Partial<OutlierPolicy> | undefined, ids?: readonly string[]) => test.publish(specOf(next, ids));
  return { ...test, said, serve, states, out, script, change };
}

describe("outlier detection", () => {
  it("is off where policy has none", () => {
    const { script, serve, out, states } = setup(2, undefined);
    script(0, answers(500));
    serve(100);
    expect([out(), states()[0]!.outlier]).toEqual([[], undefined]);
  });

  it("leaves an endpoint out after five failures in a row, whatever the others answer meanwhile", () => {
    const { script, serve, out, said } = setup(10, {});
    script(3, answers(500));
    serve(40);
    expect(out()).toEqual([]);
    serve(10);
    expect(out()).toEqual([3]);
    expect(serve(30)).not.toContain(3);
    expect(said).toEqual([
      expect.stringMatching(/^10\.0\.0\.3:80 of pay is out: 5 attempts in a row failed, for \d+ ms more$/),
    ]);
  });

  it("begins to count anew after any success", () => {
    const { script, serve, out } = setup(1, { consecutiveErrors: 3, maxEjectionRatio: 1 });
    for (const [status, calls] of [
      [500, 2],
      [404, 1],
      [503, 2],
      [200, 1],
    ] as const) {
      script(0, answers(status));
      serve(calls);
    }
    expect(out()).toEqual([]);
  });

  it("takes outlierDetectionHttpErrorCodes for the only errors there are", () => {
    const { script, serve, out } = setup(1, {
      consecutiveErrors: 2,
      consecutiveGatewayErrors: 2,
      errorStatuses: [429, 503],
      maxEjectionRatio: 1,
    });
    for (const status of [429, 500, 429, 502, 429]) {
      script(0, answers(status));
      serve(1);
    }
    expect(out()).toEqual([]);
    script(0, answers(503));
    serve(1);
    expect(out()).toEqual([0]);
  });

  it("takes gRPC's answers for what their grpc-status says", () => {
    const { script, send, clock, out } = setup(1, { consecutiveErrors: 2, maxEjectionRatio: 1 });
    const call = (grpcStatus: string, type = "application/grpc") => {
      script(0, answers(200, { headers: { "grpc-status": grpcStatus } }));
      send("pay", { method: "POST", headers: ["content-type", type] });
      clock.advance(1);
    };
    for (const status of ["14", "5", "14", "0", "13"]) call(status);
    call("14", "application/json");
    call("2");
    expect(out()).toEqual([]);
    call("12");
    expect(out()).toEqual([0]);
  });

  it("ends an ejection with the first sweep after baseEjectionTime, times its number in a row, up to the maximum", () => {
    const { script, serve, states, clock, out } = setup(1, {
      consecutiveErrors: 1,
      maxEjectionRatio: 1,
      intervalMs: 400,
      baseEjectionMs: 1_000,
      maxEjectionMs: 3_500,
    });
    script(0, answers(500));
    const lasted: number[] = [];
    for (let round = 0; round < 6; round++) {
      serve(1);
      const at = clock.now();
      expect(out()).toEqual([0]);
      expect(states()[0]!.outlierUntil % 400).toBe(0);
      clock.advance(states()[0]!.outlierUntil - at);
      expect(out()).toEqual([]);
      lasted.push(clock.now() - at);
    }
    for (const [index, ms] of lasted.entries()) {
      const least = Math.min((index + 1) * 1_000, 3_500);
      expect(ms).toBeGreaterThanOrEqual(least);
      expect(ms).toBeLessThan(least + 400);
    }
  });

  it("forgets one ejection with each sweep that finds the endpoint in use", () => {
    const { script, serve, states, clock } = setup(1, {
      consecutiveErrors: 1,
      maxEjectionRatio: 1,
      intervalMs: 400,
      baseEjectionMs: 1_000,
    });
    script(0, answers(500));
    for (let round = 0; round < 3; round++) {
      serve(1);
      clock.advance(states()[0]!.outlierUntil - clock.now());
    }
    clock.advance(900); // two sweeps: three in a row are one, and the next is the second
    serve(1);
    expect(states()[0]!.outlier!.times).toBe(2);
    clock.advance(60_000);
    serve(1);
    expect(states()[0]!.outlier!.times).toBe(1);
  });

  it("hears of a policy change at once: a shorter time ends what it would have ended, another limit frees nobody", () => {
    const base = { consecutiveErrors: 1, maxEjectionRatio: 1, intervalMs: 1_000 };
    const { script, serve, clock, out, change } = setup(2, base);
    script(0, answers(500));
    serve(2);
    clock.advance(5_000);
    change({ ...base, maxEjectionRatio: 0.1 });
    expect(out()).toEqual([0]);
    change({ ...base, baseEjectionMs: 2_000 });
    expect(out()).toEqual([]);
    script(0, answers());
    expect(new Set(serve(4))).toEqual(new Set([0, 1]));
    script(0, answers(500));
    serve(2);
    expect(out()).toEqual([0]);
    change(undefined);
    expect(out()).toEqual([]);
  });

  it("keeps what it knows of endpoints that stay, and nothing of one that comes back", () => {
    const base = { consecutiveErrors: 1, maxEjectionRatio: 1 };
    const { script, serve, out, change } = setup(3, base);
    script(1, answers(500));
    serve(3);
    expect(out()).toEqual([1]);
    change(base, [idOf(0), idOf(1)]);
    expect(out()).toEqual([1]);
    change(base, [idOf(0)]);
    change(base, [idOf(0), idOf(1)]);
    expect(out()).toEqual([]);
  });

  it("answers 503 when all are out, and says who is out and why", () => {
    const { script, serve, send, clock } = setup(2, { consecutiveErrors: 1, maxEjectionRatio: 1 });
    for (const n of [0, 1]) script(n, answers(500));
    serve(2);
    const { exchange, call } = send("pay");
    expect([exchange.events, call.status]).toEqual([["fail NO_ENDPOINT"], 503]);
    expect(String(call.error)).toContain("all 2 endpoints are out: 10.0.0.0:80 (1 attempt failed, for ");
    expect(String(call.error)).toContain(" ms more), 10.0.0.1:80 (1 attempt failed, for ");
    clock.advance(40_000);
    expect(serve(2)).not.toContain(-1);
  });

  it("uses all, ejected or not, while a smaller share than minHealthPercent is well", () => {
    const { script, serve, said } = setup(4, { consecutiveErrors: 1, maxEjectionRatio: 1, minHealthRatio: 0.5 });
    for (const n of [0, 1]) script(n, answers(500));
    serve(4);
    expect(new Set(serve(20))).toEqual(new Set([2, 3])); // half of them: not fewer
    script(2, answers(500));
    serve(2);
    expect(new Set(serve(20))).toEqual(new Set([0, 1, 2, 3]));
    expect(said.at(-1)).toBe("only 1 of 4 endpoints of pay are well: all are used");
  });

  it("goes together with our own ejection of endpoints that refuse, which alone never leaves nobody", () => {
    const { script, serve, states, clock, out, send } = setup(2, { consecutiveErrors: 3, maxEjectionRatio: 1 });
    for (const n of [0, 1]) script(n, refuses());
    expect(serve(2)).not.toContain(-1);
    expect(states().every(({ ejectedUntil }) => ejectedUntil > clock.now())).toBe(true);
    expect(new Set(serve(2))).toEqual(new Set([0, 1]));
    while (out().length < 2) serve(1);
    expect(send("pay").exchange.events).toEqual(["fail NO_ENDPOINT"]);
  });

  it("judges nobody for what the caller gave up", () => {
    const { script, states, send, clock } = setup(1, { consecutiveErrors: 1, maxEjectionRatio: 1 });
    script(0, silent());
    const { call } = send("pay");
    clock.advance(10);
    call.abort(new Error("no longer wanted"));
    expect(states()[0]!.outlier).toBeUndefined();
  });

  it("judges nobody for what came of a loop that stood still", () => {
    const { script, out, send, clock } = setup(1, { consecutiveErrors: 1, maxEjectionRatio: 1 });
    script(0, resets(1_000));
    send("pay");
    clock.advance(10);
    clock.stall(3_000);
    clock.advance(10);
    expect(out()).toEqual([]);
    send("pay");
    clock.advance(1_100);
    expect(out()).toEqual([0]);
  });
});

describe("of rates, which only xDS can ask for", () => {
  const RATE = { minEndpoints: 5, minRequests: 20, enforcedRatio: 1 };

  function hour(policy: Partial<OutlierPolicy>, failing: Readonly<Record<number, number>>) {
    const test = setup(6, { consecutiveErrors: 0, maxEjectionRatio: 0.5, ...policy });
    for (const [n, one] of Object.entries(failing)) {
      let turn = 0;
      test.network.script(idOf(Number(n)), () => answers(turn++ % one === 0 ? 500 : 200));
    }
    test.serve(240);
    expect(test.out()).toEqual([]);
    test.clock.advance(10_000);
    test.serve(1);
    return test;
  }

  it("success rate ejects who is worse than its peers by so many standard deviations, once an interval", () => {
    const { out, said } = hour({ successRate: { ...RATE, deviations: 1.9 } }, { 2: 2, 4: 20 });
    expect([out(), said[0]]).toEqual([[2], expect.stringContaining("50 % of its answers were good, 90.8 % of all")]);
  });

  it("failure share ejects who fails more often than may be", () => {
    expect(hour({ failureShare: { ...RATE, ratio: 0.5 } }, { 2: 2, 4: 3 }).out()).toEqual([2]);
  });

  it("judges nobody with too few endpoints or attempts, and carries out only a share of its verdicts", () => {
    expect(hour({ failureShare: { ...RATE, ratio: 0.5, minEndpoints: 7 } }, { 2: 1 }).out()).toEqual([]);
    expect(hour({ failureShare: { ...RATE, ratio: 0.5, minRequests: 50 } }, { 2: 1 }).out()).toEqual([]);
    expect(hour({ failureShare: { ...RATE, ratio: 0.5, enforcedRatio: 0 } }, { 2: 1 }).out()).toEqual([]);
  });

  it("begins each interval anew", () => {
    const { out, script, clock, serve } = hour({ failureShare: { ...RATE, ratio: 0.5, minRequests: 200 } }, { 2: 1 });
    script(2, answers(500));
    serve(240);
    clock.advance(10_000);
    serve(1);
    expect(out()).toEqual([]); // 40 in the first and 40 in the second are not 80 in one
  });
});
