/** How near an endpoint is to this client: Istio's priorities, before those that nobody is in are left out (policy-semantics §2.5). */

import type { Endpoint, LocalityFailover, Nearness, ZoneAwareness } from "@inmesh/model";

type PreferredLabels = LocalityFailover["labels"];

/** Nearness counts within the labels: there are as many of it. */
const NEARNESS_RANKS = 5;
const REGION_RANKS = 3;
/** A mismatch in it, when it is the first of the labels, does not end the comparison. */
const NETWORK = "topology.istio.io/network";

/** @returns 0 for the nearest; gaps mean nothing */
export function rankOf(endpoint: Endpoint, policy: LocalityFailover | ZoneAwareness): number {
  const byLabels = labelRank(endpoint, policy.labels);
  if (policy.kind === "zoneAware") return byLabels * REGION_RANKS + regionRank(endpoint, policy.nearness);
  const { nearness } = policy;
  return nearness === undefined ? byLabels : byLabels * NEARNESS_RANKS + nearnessRank(endpoint, nearness);
}

/** As many as are left from the first that does not match on. */
function labelRank({ labels }: Endpoint, preferred: PreferredLabels): number {
  let rank = 0;
  for (const [index, { name, value }] of preferred.entries()) {
    if ((labels[name] ?? "") === value) continue;
    rank += preferred.length - index;
    if (index > 0 || name !== NETWORK) break;
  }
  return rank;
}

function nearnessRank({ locality }: Endpoint, { own, toRegion }: Nearness): number {
  const { region = "", zone = "", subZone = "" } = locality ?? {};
  if (region !== own.region) return toRegion !== undefined && region !== toRegion ? 4 : 3;
  if (zone !== own.zone) return 2;
  return subZone === own.subZone ? 0 : 1;
}

function regionRank({ locality }: Endpoint, { own, toRegion }: Nearness): number {
  const region = locality?.region ?? "";
  if (region === own.region) return 0;
  return region === toRegion ? 1 : 2;
}
