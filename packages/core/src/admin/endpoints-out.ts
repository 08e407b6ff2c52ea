/** For explanations: who gets no calls from this process at the moment. */

import type { Clusters } from "../cluster/clusters.js";
import { outReasons } from "../health/out-story.js";
import type { Clock } from "../runtime/clock.js";

/** @returns texts of a cluster's endpoints that are left out; none of one that has not been called */
export function endpointsOut(clusters: Clusters, clock: Clock): (cluster: string) => readonly string[] {
  return (name) => {
    const cluster = clusters.find(name);
    if (cluster === undefined) return [];
    const usable = new Set(cluster.usable); // all of them where all are out and policy has them used
    return cluster.states
      .filter((state) => !usable.has(state))
      .map((state) => `${state.endpoint.id}: ${outReasons(state, clock.now())}`);
  };
}
