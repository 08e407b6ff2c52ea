/** Nothing new starts on an endpoint that has left, and nobody is told that there is no endpoint while there is one. */

import type { MakeInvariant } from "./invariant.js";

export const membership: MakeInvariant = ({ world, engine, view }) => ({
  sent({ name }, { endpoint, call }) {
    const cluster = call.cluster?.config.name ?? "";
    if (!view.endpoints(cluster).has(endpoint.endpoint.id)) {
      world.violate("membership", `${name} was sent to ${endpoint.endpoint.id}, which is no endpoint of ${cluster}`);
    }
  },
  heard({ name, code, call }, word) {
    if (word !== "fail" || code !== "NO_ENDPOINT") return;
    const cluster = call?.cluster?.config.name ?? "";
    const { outlier, locality } = view.policy(cluster);
    if (view.endpoints(cluster).size === 0 || locality?.kind === "distribute") return; // shares may go to empty zones
    const states = engine.clusters.find(cluster)?.states ?? [];
    const allOut = states.every(({ outlierUntil, unhealthy }) => outlierUntil > world.now || unhealthy);
    if (outlier?.minHealthRatio === 0 && allOut) return; // policy would rather fail
    world.violate("membership", `${name} was told that ${cluster} has no endpoint, and it has ${states.length}`);
  },
});
