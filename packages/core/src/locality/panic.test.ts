import { describe, expect, it } from "vitest";
import { fakeOutlier } from "../testing/fake-snapshot.js";
import { testEngine } from "../testing/test-engine.js";
import { rankPanic } from "./panic.js";

const size = (usable: number, all: number) => ({ usable, all });

describe("ranks in a panic", () => {
  it.each([
    ["nobody while policy wants none", [size(0, 4), size(1, 4)], 0, undefined],
    ["nobody while all together can bear the calls", [size(0, 4), size(3, 4)], 0.9, undefined],
    ["only who has too few", [size(0, 4), size(2, 4)], 0.5, { panics: [true, false], shares: undefined }],
    ["both, by how many they are", [size(1, 4), size(2, 12)], 0.5, { panics: [true, true], shares: [25, 75] }],
    ["all when nobody is well", [size(0, 2), size(0, 6)], 0.5, { panics: [true, true], shares: [25, 75] }],
  ])("%s", (_, ranks, ratio, panic) => {
    expect(rankPanic(ranks, ratio)).toEqual(panic);
  });

  it("sends nothing to the dead near ones while some far ones are well", () => {
    const at = (zone: string, n: number) => ({
      id: `10.0.${zone}.${n}:80`,
      locality: { region: zone, zone, subZone: "" },
    });
    const endpoints = [0, 1, 2, 3].flatMap((n) => [at("1", n), at("2", n)]);
    const own = { region: "1", zone: "1", subZone: "" };
    const policy = {
      locality: { kind: "failover", labels: [], nearness: { own } },
      outlier: fakeOutlier({ minHealthRatio: 0.5, maxEjectionRatio: 1 }),
    } as const;
    const publishable = (loadBalancer: "random" | "roundRobin") => ({
      clusters: { pay: { endpoints, loadBalancer, policy } },
    });
    const { send, clock, engine, publish } = testEngine(publishable("random"));
    send("pay");
    clock.advance(1);
    const ill = new Set(["10.0.1.0:80", "10.0.1.1:80", "10.0.1.2:80", "10.0.1.3:80", "10.0.2.0:80", "10.0.2.1:80"]);
    for (const state of engine.clusters.all()[0]!.states) state.unhealthy = ill.has(state.endpoint.id);
    publish(publishable("roundRobin"));
    const used = new Set<string>();
    for (let n = 0; n < 60; n++) {
      used.add(send("pay").exchange.attempts[0]!.endpoint.endpoint.id);
      clock.advance(1);
    }
    expect(used).toEqual(new Set(["10.0.2.2:80", "10.0.2.3:80"]));
  });
});
