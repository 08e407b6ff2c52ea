import { describe, expect, it } from "vitest";
import type { BalancingPolicy } from "../balance/create.js";
import { balancingText } from "./balancing-text.js";

const OWN = { region: "eu", zone: "eu-1", subZone: "" };

describe("balancingText", () => {
  it.each<[BalancingPolicy, string]>([
    [{ loadBalancer: "leastRequest" }, "least request"],
    [
      { loadBalancer: "roundRobin", warmup: { windowMs: 60_000, minimumRatio: 0.1, aggression: 1 }, subsetSize: 5 },
      "round robin; newcomers warm up for 60 s; each process uses 5 endpoints",
    ],
    [
      { loadBalancer: "leastRequest", hash: { kind: "ringHash", minimumRingSize: 1_024 } },
      "hash, on a ring of at least 1024 points",
    ],
    [
      {
        loadBalancer: "prequal",
        locality: { kind: "failover", labels: [{ name: "rack", value: "a" }], nearness: { own: OWN } },
        subsetSize: 5,
      },
      "Prequal; each process uses 5 endpoints of a locality; equal labels first (rack), then nearest localities first",
    ],
    [
      {
        loadBalancer: "leastRequest",
        hash: { kind: "maglev", tableSize: 307 },
        locality: {
          kind: "distribute",
          shares: [
            { to: OWN, ratio: 0.8 },
            { to: { region: "us", zone: "", subZone: "" }, ratio: 0.2 },
          ],
        },
      },
      "hash, on a maglev table of 307 slots; localities by share: 80% to eu/eu-1, 20% to us",
    ],
    [
      {
        loadBalancer: "random",
        locality: { kind: "zoneAware", minClusterSize: 6, labels: [], nearness: { own: OWN } },
      },
      "random; the own zone first, from 6 endpoints on",
    ],
  ])("of %j", (policy, text) => {
    expect(balancingText(policy)).toBe(text);
  });
});
