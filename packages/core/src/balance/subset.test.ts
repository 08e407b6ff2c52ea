import { describe, expect, it } from "vitest";
import type { EndpointState } from "../cluster/endpoint-state.js";
import { seededRandom } from "../runtime/random.js";
import { balancerContract, states } from "./balancer.contract.js";
import { NO_HASH } from "./balancer.js";
import { RandomBalancer } from "./random.js";
import { Subset } from "./subset.js";

const make = (instance: string, size: number, seed = 1) =>
  new Subset({ size, instance, balancer: new RandomBalancer({ random: seededRandom(seed) }) });

balancerContract(
  "Subset, of all",
  ({ random }) => new Subset({ size: 100_000, instance: "a", balancer: new RandomBalancer({ random }) }),
);

/** Who is picked at all. */
function used(subset: Subset): ReadonlySet<EndpointState> {
  return new Set(Array.from({ length: 500 }, () => subset.pick(0, NO_HASH)!));
}

describe("Subset", () => {
  const all = states(...Array<number>(40).fill(1));

  it("uses so many endpoints, the same ones whenever it is asked, and in another order", () => {
    const subset = make("web-1", 5);
    subset.update(all, all);
    const first = used(subset);
    expect(first.size).toBe(5);
    const again = make("web-1", 5, 2);
    const reversed = [...all].reverse();
    again.update(reversed, reversed);
    expect(used(again)).toEqual(first);
  });

  it("replaces who is out, and nobody else; and has them back", () => {
    const subset = make("web-1", 5);
    subset.update(all, all);
    const before = used(subset);
    const [gone] = before;
    subset.update(
      all.filter((state) => state !== gone),
      all,
    );
    const during = used(subset);
    expect(during.size).toBe(5);
    expect([...during].filter((state) => !before.has(state))).toHaveLength(1);
    subset.update(all, all);
    expect(used(subset)).toEqual(before);
  });

  it("keeps its endpoints when others join, but for those that newcomers take the place of", () => {
    const subset = make("web-1", 5);
    const [newcomer, ...others] = all;
    subset.update(others, others);
    const before = used(subset);
    subset.update(all, all);
    const kept = [...used(subset)].filter((state) => state !== newcomer);
    expect(kept.every((state) => before.has(state))).toBe(true);
  });

  it("spreads many clients over the endpoints: each has 50 of 400 clients, none fewer than 30 or more than 75", () => {
    const clients = new Map<EndpointState, number>();
    for (let index = 0; index < 400; index++) {
      const subset = make(`web-${index}`, 5);
      subset.update(all, all);
      for (const state of used(subset)) clients.set(state, (clients.get(state) ?? 0) + 1);
    }
    expect(clients.size).toBe(all.length);
    expect(Math.min(...clients.values())).toBeGreaterThanOrEqual(30);
    expect(Math.max(...clients.values())).toBeLessThanOrEqual(75);
  });

  it("says how many it uses", () => {
    const subset = make("web-1", 5);
    subset.update(all, all);
    expect(subset.describe().notes).toEqual(["uses 5 of 40 endpoints"]);
  });
});
