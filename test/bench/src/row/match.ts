/** Route match: one virtual host with 10, 1,000 and 10,000 rules; requests spread over the rules. */

import { loop } from "../lib/loop.js";
import { manyRoutes, resources, snapshot, workloads } from "../lib/policy.js";
import { MatchProbe } from "../lib/probe.js";
import type { Report } from "../lib/table.js";

export async function match(): Promise<Report> {
  const rows = [10, 1_000, 10_000].map((count) => {
    const made = snapshot(resources(manyRoutes(count)), workloads("reviews", 2));
    const host = made.routes.lookup("reviews", 80);
    if (host === undefined) throw new Error("the bench's own service is not known");
    const probes = Array.from(
      { length: 64 },
      (_, index) => new MatchProbe(`/api/v1/resource${(index * 7919) % count}/42?x=1`),
    );
    const miss = new MatchProbe("/api/v2/none");
    for (const probe of probes) if (host.find(probe) === undefined) throw new Error(`${probe.path} does not match`);
    let next = 0;
    const hit = loop(() => host.find(probes[next++ & 63]!)); // masked into range
    const missed = loop(() => host.find(miss));
    return {
      rules: count,
      "hit ns (median)": hit.medianNs.toFixed(0),
      "best ns": hit.bestNs.toFixed(0),
      "miss ns": missed.medianNs.toFixed(0),
      "bytes/hit": hit.bytes?.toFixed(0) ?? "-",
    };
  });
  return { bench: "route match", rows, notes: ["goal: <= 500 ns at 1,000 rules, <= 1,000 ns at 10,000"] };
}
