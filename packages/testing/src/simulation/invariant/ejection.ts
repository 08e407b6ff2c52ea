/** No more endpoints are out than outlier detection may put out, nobody for longer than it may, and who is out gets no calls unless so few are left that all are used. */

import type { Attempt } from "@inmesh/core";
import type { MakeInvariant } from "./invariant.js";

type EndpointState = Attempt["endpoint"];

/** Where no outlierDetection says another, Envoy's. */
const PANIC_RATIO = 0.5;

export const ejection: MakeInvariant = ({ world, engine, view }) => {
  /** Ejections of each that were seen. */
  const seen = new WeakMap<EndpointState, number>();
  const wrong = (message: string): void => world.violate("ejection", message);

  return {
    sent({ name }, { endpoint, call }) {
      const { now } = world;
      const cluster = call.cluster?.config.name ?? "";
      const { outlier, locality } = view.policy(cluster);
      if (endpoint.outlierUntil <= now || locality !== undefined) return; // ranks panic one by one
      const states = engine.clusters.find(cluster)?.states ?? [];
      const healthy = states.filter((state) => state.outlierUntil <= now && !state.unhealthy).length;
      if (healthy / states.length < (outlier?.minHealthRatio ?? PANIC_RATIO)) return;
      wrong(`${name} was sent to ${endpoint.endpoint.id}, which is out until ${endpoint.outlierUntil}`);
    },
    settled() {
      const { now } = world;
      for (const { config, states } of engine.clusters.all()) {
        const added = states.filter((state) => (state.outlier?.ejections ?? 0) > (seen.get(state) ?? 0));
        if (added.length === 0) continue;
        const { outlier } = view.policy(config.name);
        const size = view.endpoints(config.name).size;
        const out = states.filter(({ outlierUntil }) => outlierUntil > now).length;
        if (outlier === undefined) wrong(`an endpoint of ${config.name} was ejected, and no policy asks for that`);
        else {
          const most = Math.floor(outlier.maxEjectionRatio * size + 1e-9);
          const allowed = outlier.ejectsOne ? Math.max(1, most) : most;
          if (out > allowed) wrong(`${out} of ${size} endpoints of ${config.name} are out, ${allowed} allowed`);
        }
        for (const state of added) {
          seen.set(state, state.outlier?.ejections ?? 0);
          const ms = state.outlierUntil - now;
          const most = (outlier?.maxEjectionMs ?? 0) + (outlier?.intervalMs ?? 0);
          if (ms > most + 0.001) wrong(`${state.endpoint.id} is out for ${ms} ms, ${most} at most`);
          world.note(`${state.endpoint.id} is out until ${state.outlierUntil.toFixed(3)}: ${state.outlier?.reason}`);
        }
      }
    },
  };
};
