/** Picking an endpoint and giving it back: 10 to 10,000 endpoints, every strategy. */

import { seededRandom, systemClock } from "@inmesh/core";
import { createBalancer, EndpointState } from "@inmesh/core/internal";
import type { LoadBalancerKind } from "@inmesh/model";
import { loop } from "../lib/loop.js";
import type { Report } from "../lib/table.js";

const KINDS: readonly LoadBalancerKind[] = ["roundRobin", "random", "leastRequest", "peakEwma"];

export async function pick(): Promise<Report> {
  const rows = KINDS.map((kind) => {
    const costs = [10, 1_000, 10_000].map((size) => {
      const balancer = createBalancer(kind, { clock: systemClock, random: seededRandom(1) });
      balancer.update(
        Array.from(
          { length: size },
          (_, index) =>
            new EndpointState({
              id: `10.0.0.1:${index}`,
              address: "10.0.0.1",
              port: index,
              weight: 1,
              labels: {},
              workloads: [],
            }),
        ),
      );
      return [`${size} ns`, loop(() => balancer.pick(0)).medianNs.toFixed(0)] as const;
    });
    return { balancer: kind, ...Object.fromEntries(costs) };
  });
  return { bench: "pick", rows, notes: ["goal: flat from 10 to 10,000 endpoints"] };
}
