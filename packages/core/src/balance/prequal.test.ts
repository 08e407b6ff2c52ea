import { describe, expect, it } from "vitest";
import type { Outcome } from "../call/attempt.js";
import type { EndpointState } from "../cluster/endpoint-state.js";
import { FakeClock } from "../runtime/fake-clock.js";
import { seededRandom } from "../runtime/random.js";
import { balancerContract, states } from "./balancer.contract.js";
import { Prequal } from "./prequal.js";

balancerContract("Prequal", (ports) => new Prequal(ports));

interface Reply {
  readonly ms: number;
  readonly outcome?: Outcome;
}

function setup(...weights: number[]) {
  const all = states(...weights);
  const clock = new FakeClock();
  const balancer = new Prequal({ random: seededRandom(7) });
  balancer.update(all);
  /** `calls` calls, `width` at a time. @returns how many each endpoint served */
  const serve = (calls: number, width: number, reply: (state: EndpointState) => Reply): readonly number[] => {
    const counts = new Map<EndpointState, number>();
    let left = calls;
    const begin = (): void => {
      if (left-- <= 0) return;
      const state = balancer.pick(clock.now())!; // not empty
      const startedAt = clock.now();
      const { ms, outcome = "success" } = reply(state);
      state.inFlight += 1;
      counts.set(state, (counts.get(state) ?? 0) + 1);
      clock.after(ms, () => {
        state.inFlight -= 1;
        balancer.observe(state, clock.now() - startedAt, outcome, clock.now());
        begin();
      });
    };
    for (let lane = 0; lane < width; lane++) begin();
    while (clock.pending > 0) clock.advance(100);
    return all.map((state) => counts.get(state) ?? 0);
  };
  return { all, balancer, clock, serve };
}

describe("Prequal", () => {
  it("gives a slow endpoint what it can do beside the others, and not an equal share", () => {
    const { all, serve } = setup(...Array<number>(10).fill(1));
    const counts = serve(2_000, 20, (state) => ({ ms: state === all[0] ? 200 : 10 }));
    expect(counts[0]).toBeLessThan(60); // an equal share is 200
    expect(counts[0]).toBeGreaterThan(0); // it is tried again
    expect(Math.min(...counts.slice(1))).toBeGreaterThan(120);
  });

  it("turns away from an endpoint that fails fast, however idle it is", () => {
    const { all, serve } = setup(...Array<number>(10).fill(1));
    const counts = serve(2_000, 20, (state) => (state === all[0] ? { ms: 1, outcome: "failure" } : { ms: 10 }));
    expect(counts[0]).toBeLessThan(20);
  });

  it("comes back to an endpoint that has failed once what is known of it has faded", () => {
    const { all, serve, clock } = setup(1, 1, 1);
    serve(300, 3, (state) => (state === all[0] ? { ms: 1, outcome: "failure" } : { ms: 10 }));
    clock.advance(120_000);
    expect(serve(300, 3, () => ({ ms: 10 }))[0]).toBeGreaterThan(50);
  });

  it("takes the one with fewer in flight when all are hot, though it is the slower one", () => {
    const { all, balancer, serve } = setup(1, 1);
    serve(400, 4, (state) => ({ ms: state === all[0] ? 30 : 10 }));
    all[0]!.inFlight = 40;
    all[1]!.inFlight = 80;
    expect(new Set(Array.from({ length: 50 }, () => balancer.pick(20_000)))).toEqual(new Set([all[0]]));
  });

  it("takes the faster one while neither is hot", () => {
    const { all, balancer, serve, clock } = setup(1, 1);
    serve(400, 6, (state) => ({ ms: state === all[0] ? 30 : 10 }));
    const picked = Array.from({ length: 50 }, () => balancer.pick(clock.now()));
    expect(picked.filter((state) => state === all[1]).length).toBeGreaterThan(45);
  });

  it("takes a newcomer for as fast as the others are: neither flooded nor shunned", () => {
    const { all, balancer, serve } = setup(...Array<number>(10).fill(1));
    balancer.update(all.slice(1));
    serve(1_000, 20, () => ({ ms: 10 }));
    balancer.update(all);
    const counts = serve(1_000, 20, () => ({ ms: 10 }));
    expect(counts[0]).toBeGreaterThan(60);
    expect(counts[0]).toBeLessThan(150); // an equal share is 100
  });

  it("learns nothing from calls that were given up", () => {
    const { all, balancer } = setup(1, 1);
    for (let n = 0; n < 50; n++) balancer.observe(all[0]!, 5_000, "neutral", 0);
    expect(new Set(Array.from({ length: 50 }, () => balancer.pick(0)))).toEqual(new Set(all));
  });
});
