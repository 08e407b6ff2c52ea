/**
 * Nothing new starts on an endpoint that has left, and nobody is told that there is no endpoint while there is one, or before
 * the registry had time to tell of one.
 */

import type { MakeInvariant } from "./invariant.js";

/** The shortest that policies draw. */
const CONNECT_TIMEOUT_MS = 20;

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
    const waitedMs = world.now - (call?.startedAt ?? 0);
    if (call?.cluster !== undefined && view.isPending(cluster) && waitedMs < CONNECT_TIMEOUT_MS) {
      world.violate(
        "membership",
        `${name} waited ${waitedMs} ms for the instances of ${cluster}, which it was to be told`,
      );
    }
    if (view.endpoints(cluster).size === 0 || locality?.kind === "distribute") return; // shares may go to empty zones
    const states = engine.clusters.find(cluster)?.states ?? [];
    const allOut = states.every(({ outlierUntil, unhealthy }) => outlierUntil > world.now || unhealthy);
    if (outlier?.minHealthRatio === 0 && allOut) return; // policy would rather fail
    world.violate("membership", `${name} was told that ${cluster} has no endpoint, and it has ${states.length}`);
  },
});
