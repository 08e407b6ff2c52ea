import { describe, expect, it } from "vitest";
import { seededRandom } from "../runtime/random.js";
import { balancerContract, states } from "./balancer.contract.js";
import { RoundRobin } from "./round-robin.js";

balancerContract("RoundRobin", (ports) => new RoundRobin(ports));

describe("RoundRobin", () => {
  const setup = (...weights: number[]) => {
    const all = states(...weights);
    const balancer = new RoundRobin({ random: seededRandom(3) });
    balancer.update(all);
    const picks = (count: number): number[] => Array.from({ length: count }, () => all.indexOf(balancer.pick(0)!));
    return { all, balancer, picks };
  };

  it("goes round in order when weights are equal", () => {
    const { picks } = setup(1, 1, 1);
    const [first, second, third] = picks(3);
    expect([second, third]).toEqual([(first! + 1) % 3, (first! + 2) % 3]);
    expect(picks(3)).toEqual([first, second, third]);
  });

  it("spreads a heavy endpoint's turns instead of bunching them", () => {
    const { picks } = setup(5, 1, 1);
    const served = picks(700);
    expect(served.filter((index) => index === 0)).toHaveLength(500);
    const longest = served
      .join("")
      .match(/0+/g)!
      .reduce((most, run) => Math.max(most, run.length), 0);
    expect(longest).toBeLessThanOrEqual(5);
    for (const light of [1, 2]) {
      const turns = served.flatMap((index, at) => (index === light ? at : []));
      for (let n = 1; n < turns.length; n++) expect(turns[n]! - turns[n - 1]!).toBeLessThanOrEqual(8);
    }
  });

  it("gives an endpoint that comes back no more than its share", () => {
    const { all, balancer, picks } = setup(2, 1, 1);
    picks(4_000);
    balancer.update(all.slice(0, 2));
    for (let n = 0; n < 4_000; n++) balancer.pick(0);
    balancer.update(all);
    expect(picks(40).filter((index) => index === 2).length).toBeLessThanOrEqual(11);
  });
});
