import { describe, expect, it } from "vitest";
import { EndpointState } from "../cluster/endpoint-state.js";
import { seededRandom } from "../runtime/random.js";
import { fakeEndpoint } from "../testing/fake-snapshot.js";
import { balancerContract, states } from "./balancer.contract.js";
import type { Picking } from "./balancer.js";
import { HashBalancer } from "./hash-balancer.js";
import { XxHashLoader } from "./xx-hash.js";

const xxHash = new XxHashLoader();
await xxHash.load();
const hash = xxHash.hash!; // WebAssembly is there, or nothing below holds

const RING = { kind: "ringHash", minimumRingSize: 8_192 } as const;
const MAGLEV = { kind: "maglev", tableSize: 65_537 } as const;

let calls = 0;
/** Every one another. */
const hashed = (): Picking => ({ hash: hash(`user-${calls++}`) });

for (const algorithm of [RING, MAGLEV]) {
  const { kind } = algorithm;
  balancerContract(`HashBalancer, ${kind}`, ({ random }) => new HashBalancer(algorithm, { random, xxHash }), hashed);
  balancerContract(
    `HashBalancer, ${kind}, requests without a hash`,
    ({ random }) => new HashBalancer(algorithm, { random, xxHash }),
  );

  describe(`HashBalancer, ${kind}`, () => {
    const KEYS = Array.from({ length: 2_000 }, (_, index) => hash(`key-${index}`));
    const setup = (weights = [1, 1, 1, 1, 1]) => {
      const balancer = new HashBalancer(algorithm, { random: seededRandom(3), xxHash });
      const all = states(...weights);
      balancer.update(all, all);
      const where = (): readonly EndpointState[] => KEYS.map((each) => balancer.pick(0, { hash: each })!);
      return { balancer, all, where };
    };

    it("takes equal hashes to the same endpoint, whoever asks and whatever the order of the endpoints", () => {
      const { balancer, all, where } = setup();
      const before = where();
      const shuffled = [all[3]!, all[0]!, all[4]!, all[1]!, all[2]!];
      balancer.update(shuffled, shuffled);
      expect(where()).toEqual(before);
      const other = setup();
      expect(other.where().map(({ endpoint }) => endpoint.id)).toEqual(before.map(({ endpoint }) => endpoint.id));
    });

    it("moves only the requests of an endpoint that is left alone, and moves them back", () => {
      const { balancer, all, where } = setup();
      const before = where();
      const ill = all[2]!;
      balancer.update(
        all.filter((state) => state !== ill),
        all,
      );
      const during = where();
      expect(during).not.toContain(ill);
      for (const [index, state] of before.entries()) if (state !== ill) expect(during[index]).toBe(state);
      balancer.update(all, all);
      expect(where()).toEqual(before);
    });

    it("moves few requests when an endpoint joins: at most twice its share", () => {
      const { balancer, all, where } = setup();
      const before = where();
      const more = [...all, new EndpointState(fakeEndpoint("z9:1"))];
      balancer.update(more, more);
      const after = where();
      const moved = after.filter((state, index) => state !== before[index]);
      expect(moved.length / KEYS.length).toBeLessThan(2 / 6); // a ring has fewer points for each of the others, too
      expect(moved.length).toBeGreaterThan(0);
    });

    it("keeps a retry where it was, unless told to avoid that endpoint", () => {
      const { balancer } = setup();
      const call = { hash: KEYS[0] };
      const first = balancer.pick(0, call)!;
      expect(balancer.pick(0, call)).toBe(first);
      const second = balancer.pick(0, call, [first])!;
      expect(second).not.toBe(first);
      expect(balancer.pick(0, call, [first])).toBe(second);
      expect([first, second]).not.toContain(balancer.pick(0, call, [first, second]));
    });

    it("goes anywhere without a hash", () => {
      const { balancer, all } = setup();
      const picked = new Set(Array.from({ length: 200 }, () => balancer.pick(0, { hash: undefined })));
      expect(picked).toEqual(new Set(all));
    });

    it("goes anywhere while there is no hash function", () => {
      const without = new HashBalancer(algorithm, { random: seededRandom(3), xxHash: new XxHashLoader() });
      const all = states(1, 1);
      without.update(all, all);
      expect(new Set(Array.from({ length: 50 }, () => without.pick(0, { hash: 7n })))).toEqual(new Set(all));
    });
  });
}
