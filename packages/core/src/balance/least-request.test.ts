import { describe, expect, it } from "vitest";
import { seededRandom } from "../runtime/random.js";
import { balancerContract, states } from "./balancer.contract.js";
import { LeastRequest } from "./least-request.js";

balancerContract("LeastRequest", (ports) => new LeastRequest(ports));

describe("LeastRequest", () => {
  const setup = (...weights: number[]) => {
    const all = states(...weights);
    const balancer = new LeastRequest({ random: seededRandom(5) });
    balancer.update(all);
    const share = (index: number, calls = 4_000): number => {
      let picked = 0;
      for (let n = 0; n < calls; n++) if (balancer.pick(0) === all[index]) picked += 1;
      return picked / calls;
    };
    return { all, share };
  };

  it("takes the less loaded of two", () => {
    const { all, share } = setup(1, 1);
    all[0]!.inFlight = 3;
    all[1]!.inFlight = 2;
    expect(share(1)).toBe(1);
  });

  it("takes the most loaded of three only when nobody else is drawn, which two distinct draws exclude", () => {
    const { all, share } = setup(1, 1, 1);
    all[0]!.inFlight = 10;
    expect(share(0)).toBe(0);
  });

  it("shares by weight while everybody is idle, within 3 points", () => {
    const { share } = setup(1, 9);
    expect(Math.abs(share(0) - 0.1)).toBeLessThan(0.03);
  });

  it("compares load per unit of weight", () => {
    const { all, share } = setup(1, 9);
    all[0]!.inFlight = 1;
    all[1]!.inFlight = 8; // 0.89 per unit
    expect(share(1)).toBeGreaterThan(0.98);
  });
});
