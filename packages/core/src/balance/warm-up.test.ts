import { describe, expect, it } from "vitest";
import { EndpointState } from "../cluster/endpoint-state.js";
import { seededRandom } from "../runtime/random.js";
import { fakeEndpoint } from "../testing/fake-snapshot.js";
import { testEngine } from "../testing/test-engine.js";
import { LeastRequest } from "./least-request.js";
import { RoundRobin } from "./round-robin.js";
import { WarmUp } from "./warm-up.js";

const MINUTE = 60_000;

describe("the weight of a new endpoint", () => {
  it.each([
    ["at once", 0, 1, 0.1],
    ["before the least share", 3_000, 1, 0.1],
    ["half way, in a straight line", 30_000, 1, 0.5],
    ["half way, faster at first", 30_000, 2, Math.SQRT1_2],
    ["half way, slower at first", 30_000, 0.5, 0.25],
    ["at the end", MINUTE, 1, 1],
    ["long after", 10 * MINUTE, 2, 1],
  ])("%s", (_, age, aggression, factor) => {
    const warmUp = new WarmUp({ windowMs: MINUTE, minimumRatio: 0.1, aggression });
    const state = new EndpointState(fakeEndpoint("a:1"), 1_000);
    expect(warmUp.factor(state, 1_000 + age)).toBeCloseTo(factor, 10);
  });

  it("is never nothing", () => {
    const warmUp = new WarmUp({ windowMs: MINUTE, minimumRatio: 0, aggression: 1 });
    expect(warmUp.factor(new EndpointState(fakeEndpoint("a:1"), 5), 5)).toBeGreaterThan(0);
  });
});

describe.each(["leastRequest", "roundRobin"] as const)("warm-up under %s", (loadBalancer) => {
  const warmup = { windowMs: MINUTE, minimumRatio: 0.1, aggression: 1 };
  const POLICIES = { loadBalancer, warmup };
  const id = (index: number) => `10.0.0.${index}:80`;
  const old = [0, 1, 2, 3].map(id);

  /** Percent of the calls that reach endpoint 9 while `ms` pass, in `calls` calls of 1 ms each. */
  function setup() {
    const test = testEngine({ clusters: { a: { endpoints: old, policy: POLICIES } } });
    const { send, clock, publish } = test;
    const share = (endpoint = id(9), calls = 2_000): number => {
      let hits = 0;
      for (let n = 0; n < calls; n++) if (send("a").exchange.attempts[0]!.endpoint.endpoint.id === endpoint) hits += 1;
      clock.advance(1);
      return (hits * 100) / calls;
    };
    const publishWith = (endpoints: readonly string[], policy = POLICIES) =>
      publish({ clusters: { a: { endpoints, policy } } });
    return { ...test, share, publishWith };
  }

  it("shares evenly among those known from the beginning, within 3 points", () => {
    const { share } = setup();
    expect(Math.abs(share(id(0)) - 25)).toBeLessThan(3);
  });

  it("gives a newcomer little at first, half of its share half way, and all of it at the end, within 3 points", () => {
    const { share, publishWith, clock } = setup();
    share();
    clock.advance(10 * MINUTE);
    publishWith([...old, id(9)]);
    expect(Math.abs(share() - 10 / 4.1)).toBeLessThan(1.5);
    clock.advance(MINUTE / 2);
    expect(Math.abs(share() - 50 / 4.5)).toBeLessThan(3);
    clock.advance(MINUTE / 2);
    expect(Math.abs(share() - 20)).toBeLessThan(3);
  });

  it("does not begin anew with another snapshot or another policy", () => {
    const { share, publishWith, clock } = setup();
    share();
    clock.advance(10 * MINUTE);
    publishWith([...old, id(9)]);
    clock.advance(MINUTE - 10);
    publishWith([...old, id(9), id(8)], { loadBalancer, warmup: { ...warmup, minimumRatio: 0.2 } });
    expect(Math.abs(share() - 100 / 5.2)).toBeLessThan(3);
  });

  it("begins anew for an endpoint that left and came back", () => {
    const { share, publishWith, clock } = setup();
    share();
    clock.advance(10 * MINUTE);
    publishWith(old.slice(1));
    publishWith(old);
    expect(share(id(0))).toBeLessThan(5);
  });
});

describe("a strategy that warms up", () => {
  it.each([
    ["LeastRequest", LeastRequest],
    ["RoundRobin", RoundRobin],
  ])("%s counts weights in, too", (_, Strategy) => {
    const warmUp = new WarmUp({ windowMs: MINUTE, minimumRatio: 0.1, aggression: 1 });
    const balancer = new Strategy({ random: seededRandom(1), warmUp });
    const states = [
      new EndpointState(fakeEndpoint({ id: "a:1", weight: 1 }), -MINUTE),
      new EndpointState(fakeEndpoint({ id: "b:1", weight: 6 }), 0),
    ];
    balancer.update(states);
    let hits = 0;
    for (let n = 0; n < 4_000; n++) if (balancer.pick(MINUTE / 2) === states[1]) hits += 1;
    expect(Math.abs(hits / 4_000 - 3 / 4)).toBeLessThan(0.03);
  });
});
