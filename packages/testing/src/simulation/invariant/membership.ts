/** Nothing new starts on an endpoint that has left, and nobody is told that there is no endpoint while there is one. */

import type { MakeInvariant } from "./invariant.js";

export const membership: MakeInvariant = ({ world, view }) => ({
  sent({ name }, { endpoint, call }) {
    const cluster = call.cluster?.config.name ?? "";
    if (!view.endpoints(cluster).has(endpoint.endpoint.id)) {
      world.violate("membership", `${name} was sent to ${endpoint.endpoint.id}, which is no endpoint of ${cluster}`);
    }
  },
  heard({ name, code, call }, word) {
    if (word !== "fail" || code !== "NO_ENDPOINT") return;
    const cluster = call?.cluster?.config.name ?? "";
    if (view.endpoints(cluster).size > 0 && view.policy(cluster).outlier?.minHealthRatio !== 0) {
      world.violate(
        "membership",
        `${name} was told that ${cluster} has no endpoint, and it has ${view.endpoints(cluster).size}`,
      );
    }
  },
});
