import { describe, expect, it } from "vitest";
import type { Outcome } from "../call/attempt.js";
import type { EndpointState } from "../cluster/endpoint-state.js";
import { FakeClock } from "../runtime/fake-clock.js";
import { seededRandom } from "../runtime/random.js";
import { balancerContract, states } from "./balancer.contract.js";
import { PeakEwma } from "./peak-ewma.js";

balancerContract("PeakEwma", (ports) => new PeakEwma(ports));

interface Reply {
  readonly ms: number;
  readonly outcome?: Outcome;
}

function setup(...weights: number[]) {
  const all = states(...weights);
  const clock = new FakeClock();
  const balancer = new PeakEwma({ random: seededRandom(7) });
  balancer.update(all);
  /** Holds one; `release` ends it. */
  const pick = () => {
    const state = balancer.pick(clock.now())!;
    const startedAt = clock.now();
    state.inFlight += 1;
    const release = (outcome: Outcome = "success"): void => {
      state.inFlight -= 1;
      balancer.observe(state, clock.now() - startedAt, outcome, clock.now());
    };
    return { state, release };
  };
  /** One whole call. Returns who served it. */
  const call = (reply: (state: EndpointState) => Reply): EndpointState => {
    const { state, release } = pick();
    const { ms, outcome } = reply(state);
    clock.advance(ms);
    release(outcome);
    return state;
  };
  return { all, balancer, clock, pick, call };
}

describe("PeakEwma", () => {
  it.each([
    ["slow", { ms: 500 }],
    ["failing fast", { ms: 1, outcome: "failure" }],
    ["hanging until the caller gives up", { ms: 500, outcome: "neutral" }],
  ] as const)("turns away from an endpoint that is %s", (_, bad) => {
    const { all, call } = setup(1, 1, 1);
    const served = Array.from({ length: 300 }, () => call((state) => (state === all[0] ? bad : { ms: 5 })));
    expect(served.filter((state) => state === all[0]).length).toBeLessThan(10); // an equal share is 100
  });

  it("sends an endpoint without history one probe, then waits for its answer", () => {
    const { all, balancer, call, pick } = setup(1, 1);
    balancer.update([all[0]!]);
    call(() => ({ ms: 5 }));
    balancer.update(all);
    const picked = Array.from({ length: 10 }, () => pick().state);
    expect(picked.filter((state) => state === all[1]).length).toBeLessThanOrEqual(5); // as slow as the others, not free
    expect(picked[0]).toBe(all[1]);
  });

  it("takes a spike at its full height and forgets it slowly", () => {
    const { all, balancer, clock, call } = setup(1, 1);
    balancer.update([all[0]!]);
    for (let n = 0; n < 50; n++) call(() => ({ ms: 10 }));
    call(() => ({ ms: 1_000 }));
    expect(all[0]!.latencyMs).toBe(1_000);
    call(() => ({ ms: 10 }));
    expect(all[0]!.latencyMs).toBeGreaterThan(900);
    clock.advance(50_000); // five lifetimes
    call(() => ({ ms: 10 }));
    expect(all[0]!.latencyMs).toBeLessThan(30);
  });

  it("comes back to a slow endpoint once its sample has aged", () => {
    const { all, call } = setup(1, 1);
    const serve = (): EndpointState => call((state) => ({ ms: state === all[0] ? 500 : 10 }));
    const early = Array.from({ length: 102 }, serve); // the probes, then 1 s
    const late = Array.from({ length: 4_900 }, serve); // 49 s, about five lifetimes
    expect([early.filter((state) => state === all[0]).length, late.includes(all[0]!)]).toEqual([1, true]);
  });

  it("learns nothing about speed from a call given up sooner than the average", () => {
    const { all, balancer, call } = setup(1);
    balancer.update(all);
    call(() => ({ ms: 100 }));
    call(() => ({ ms: 3, outcome: "neutral" }));
    expect(all[0]!.latencyMs).toBe(100);
  });
});
