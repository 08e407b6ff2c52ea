/** Picking an endpoint and giving it back: 10 to 10,000 endpoints, every strategy. */

import { seededRandom, systemClock } from "@inmesh/core";
import {
  type Balancer,
  type BalancingPolicy,
  createBalancer,
  EndpointState,
  XxHashLoader,
} from "@inmesh/core/internal";
import { loop } from "../lib/loop.js";
import type { Report } from "../lib/table.js";

const POLICIES: Readonly<Record<string, BalancingPolicy>> = {
  roundRobin: { loadBalancer: "roundRobin" },
  random: { loadBalancer: "random" },
  leastRequest: { loadBalancer: "leastRequest" },
  peakEwma: { loadBalancer: "peakEwma" },
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
  const call = { hash: 0n };
  const rows = Object.entries(POLICIES).map(([balancer, policy]) => {
    const costs = [10, 1_000, 10_000].map((size) => {
      const made = createBalancer(policy, options);
      const states = Array.from({ length: size }, (_, index) => endpoint(index));
      made.update(states, states);
      made.pick(0, call); // a table is built now
      return [`${size} ns`, loop(() => pickNext(made, call)).medianNs.toFixed(0)] as const;
    });
    return { balancer, ...Object.fromEntries(costs) };
  });
  return { bench: "pick", rows, notes: ["goal: flat from 10 to 10,000 endpoints"] };
}

/** Every call another hash, without the cost of making one. */
function pickNext(balancer: Balancer, call: { hash: bigint }): void {
  call.hash = (call.hash + 0x9e37_79b9_7f4a_7c15n) & 0xffff_ffff_ffff_ffffn;
  balancer.pick(0, call);
}

function endpoint(port: number): EndpointState {
  return new EndpointState({ id: `10.0.0.1:${port}`, address: "10.0.0.1", port, weight: 1, labels: {}, workloads: [] });
}
