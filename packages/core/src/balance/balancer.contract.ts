/** What every strategy promises. Each one's own test runs this and adds what is special about it. */

import { describe, expect, it } from "vitest";
import { EndpointState } from "../cluster/endpoint-state.js";
import { FakeClock } from "../runtime/fake-clock.js";
import { type Random, seededRandom } from "../runtime/random.js";
import { fakeEndpoint } from "../testing/fake-snapshot.js";
import { type Balancer, NO_HASH, type Picking } from "./balancer.js";

export type MakeBalancer = (ports: { readonly random: Random }) => Balancer;

/** One state per weight: `a:1`, `b:2`, … */
export function states(...weights: readonly number[]): EndpointState[] {
  return weights.map(
    (weight, index) =>
      new EndpointState(fakeEndpoint({ id: `${String.fromCharCode(97 + (index % 26))}${index}:1`, weight })),
  );
}

/** Nobody is left alone. */
export function offer(balancer: Balancer, all: readonly EndpointState[]): void {
  balancer.update(all, all);
}

/**
 * Shares of `calls` calls, `width` at a time, each taking between 5 and 15 ms at random.
 * @returns picks per state
 */
export function simulate(
  balancer: Balancer,
  all: readonly EndpointState[],
  calls: number,
  width: number,
  nextCall: () => Picking = () => NO_HASH,
): number[] {
  const clock = new FakeClock();
  const random = seededRandom(99);
  const picks = new Map(all.map((state) => [state, 0]));
  const begin = (): void => {
    const state = balancer.pick(clock.now(), nextCall())!; // the set is not empty
    const startedAt = clock.now();
    picks.set(state, picks.get(state)! + 1);
    state.inFlight += 1;
    clock.after(5 + random.next() * 10, () => {
      state.inFlight -= 1;
      balancer.observe?.(state, clock.now() - startedAt, "success", clock.now());
      if (calls-- > 0) begin();
    });
  };
  calls -= width;
  for (let lane = 0; lane < width; lane++) begin();
  while (clock.pending > 0) clock.advance(1_000);
  return [...picks.values()];
}

/** @param nextCall what it picks for. @default calls that bring nothing to look at */
export function balancerContract(name: string, make: MakeBalancer, nextCall: () => Picking = () => NO_HASH): void {
  describe(`${name} keeps the contract of balancers`, () => {
    const fresh = (seed = 7): Balancer => make({ random: seededRandom(seed) });

    it("has nothing to pick from an empty set, before and after it had something", () => {
      const balancer = fresh();
      expect(balancer.pick(0, nextCall())).toBeUndefined();
      offer(balancer, states(1, 1));
      offer(balancer, []);
      expect(balancer.pick(0, nextCall())).toBeUndefined();
    });

    it.each([0, 1, 100])("always picks the only one, whatever its weight of %s", (weight) => {
      const balancer = fresh();
      const [only] = states(weight);
      offer(balancer, [only!]);
      expect(Array.from({ length: 10 }, () => balancer.pick(0, nextCall()))).toEqual(Array(10).fill(only));
    });

    it.each([
      ["equal", [1, 1, 1, 1]],
      ["equal and large", [100, 100, 100, 100]],
      ["unequal", [1, 2, 5]],
      ["very unequal", [1, 4, 15]],
      ["many", [...Array<number>(19).fill(1), 19]],
    ])("shares calls out by weight when weights are %s, at 32 in flight, within 20 %", (_, weights) => {
      const balancer = fresh();
      const all = states(...weights);
      offer(balancer, all);
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const picks = simulate(balancer, all, 20_000, 32, nextCall);
      for (const [index, weight] of weights.entries()) {
        const expected = (20_000 * weight) / total;
        expect(Math.abs(picks[index]! - expected) / expected, `share of weight ${weight}: ${picks}`).toBeLessThan(0.2);
      }
    });

    it("never picks an endpoint of weight 0 while others have one", () => {
      const balancer = fresh();
      const all = states(0, 1, 3);
      offer(balancer, all);
      expect(simulate(balancer, all, 500, 4, nextCall)[0]).toBeLessThanOrEqual(1);
    });

    it("picks from the newest membership only, and reaches all of it", () => {
      const balancer = fresh();
      const all = states(...Array<number>(6).fill(1));
      offer(balancer, all.slice(0, 3));
      balancer.pick(0, nextCall());
      offer(balancer, all.slice(2));
      const picked = new Set<EndpointState>();
      for (let n = 0; n < 200; n++) {
        const state = balancer.pick(n, nextCall())!;
        state.inFlight += 1; // so that those that look at load move on
        picked.add(state);
      }
      expect(picked).toEqual(new Set(all.slice(2)));
    });

    it("never picks whoever is left alone for a while, and picks them again afterwards", () => {
      const balancer = fresh();
      const all = states(1, 1, 1, 1);
      const reached = (): ReadonlySet<EndpointState> =>
        new Set(
          Array.from({ length: 400 }, (_, n) => {
            const state = balancer.pick(n, nextCall())!;
            state.inFlight += 1;
            return state;
          }),
        );
      balancer.update(all.slice(2), all);
      expect(reached()).toEqual(new Set(all.slice(2)));
      offer(balancer, all);
      expect(reached()).toEqual(new Set(all));
    });

    it("starts at a place of chance, so that processes do not walk in step", () => {
      const firsts = new Set(
        Array.from({ length: 40 }, (_, seed) => {
          const balancer = fresh(seed);
          const all = states(1, 1, 1, 2);
          offer(balancer, all);
          return all.indexOf(balancer.pick(0, nextCall())!);
        }),
      );
      expect(firsts.size).toBeGreaterThan(2);
    });

    it("keeps its pace from 10 to 10,000 endpoints", () => {
      const balancer = fresh();
      const all = states(...Array.from({ length: 10_000 }, (_, index) => 1 + (index % 3)));
      offer(balancer, all);
      // 20,000 picks by full scans would be 200 million steps; this must not take seconds.
      for (let n = 0; n < 20_000; n++) balancer.pick(n, nextCall())!.inFlight += 1;
      expect(all.filter(({ inFlight }) => inFlight > 0).length).toBeGreaterThan(5_000);
    });
  });
}
