/** Picking an endpoint and giving it back: 10 to 10,000 endpoints, every strategy. */

import { seededRandom, systemClock } from "@inmesh/core";
import { type BalancingPolicy, createBalancer, EndpointState, XxHashLoader } from "@inmesh/core/internal";
import { loop } from "../lib/loop.js";
import type { Report } from "../lib/table.js";

const POLICIES: Readonly<Record<string, BalancingPolicy>> = {
  roundRobin: { loadBalancer: "roundRobin" },
  random: { loadBalancer: "random" },
  leastRequest: { loadBalancer: "leastRequest" },
  peakEwma: { loadBalancer: "peakEwma" },
  prequal: { loadBalancer: "prequal" },
  "leastRequest, warming up": {
    loadBalancer: "leastRequest",
    warmup: { windowMs: 1_000, minimumRatio: 0.1, aggression: 1 },
  },
  "leastRequest, 2 localities": {
    loadBalancer: "leastRequest",
    locality: { kind: "failover", labels: [], nearness: { own: { region: "a", zone: "", subZone: "" } } },
  },
  "ring hash": { loadBalancer: "leastRequest", hash: { kind: "ringHash", minimumRingSize: 1_024 } },
  maglev: { loadBalancer: "leastRequest", hash: { kind: "maglev", tableSize: 65_537 } },
};

export async function pick(): Promise<Report> {
  const xxHash = new XxHashLoader();
  await xxHash.load();
  const options = {
    clock: systemClock,
    random: seededRandom(1),
    xxHash,
    instance: "bench",
    clientZones: () => undefined,
  };
  const hashed = Array.from({ length: 1_024 }, (_, index) => ({ hash: xxHash.hash?.(String(index)) }));
  let next = 0;
  const rows = Object.entries(POLICIES).map(([balancer, policy]) => {
    const costs = [10, 1_000, 10_000].map((size) => {
      const made = createBalancer(policy, options);
      const states = Array.from({ length: size }, (_, index) => endpoint(index));
      made.update(states, states);
      made.pick(0, hashed[0]!); // a table is built now
      return [`${size} ns`, loop(() => made.pick(0, hashed[next++ & 1_023]!)).medianNs.toFixed(0)] as const;
    });
    return { balancer, ...Object.fromEntries(costs) };
  });
  return { bench: "pick", rows, notes: ["goal: flat from 10 to 10,000 endpoints"] };
}

/** Every second one is in another region. */
function endpoint(port: number): EndpointState {
  const locality = { region: port % 2 === 0 ? "a" : "b", zone: "", subZone: "" };
  const id = `10.0.0.1:${port}`;
  return new EndpointState({ id, address: "10.0.0.1", port, weight: 1, labels: {}, locality, workloads: [] });
}
