/** What the engine believes to be under way is what is under way: for each endpoint, each cluster, at every moment. */

import type { Attempt } from "@inmesh/core";
import type { MakeInvariant } from "./invariant.js";

type EndpointState = Attempt["endpoint"];

export const leases: MakeInvariant = ({ world, engine, network, load }) => {
  /** Every endpoint that was ever sent to, those that left included. */
  const states = new Set<EndpointState>();
  const wrong = (message: string): void => world.violate("leases", message);

  const compare = (): void => {
    const open = new Map<EndpointState, number>();
    const active = new Map<string, number>();
    for (const { attempt, cluster } of network.open) {
      open.set(attempt.endpoint, (open.get(attempt.endpoint) ?? 0) + 1);
      active.set(cluster, (active.get(cluster) ?? 0) + 1);
    }
    for (const state of states) {
      const real = open.get(state) ?? 0;
      if (state.inFlight !== real) wrong(`${state.endpoint.id} has ${real} attempts, counted are ${state.inFlight}`);
    }
    for (const { config, limits } of engine.clusters.all()) {
      const real = active.get(config.name) ?? 0;
      const counted = limits.active + limits.pending;
      if (counted !== real) wrong(`${config.name} has ${real} attempts under way, counted are ${counted}`);
    }
  };

  return {
    sent: (_, { endpoint }) => void states.add(endpoint),
    settled: compare,
    drained() {
      compare();
      for (const { attempt, exchange } of network.open) {
        wrong(`attempt ${attempt.number} of ${exchange.name} still has its connection, and nobody waits for it`);
      }
      for (const { config, limits, stats } of engine.clusters.all()) {
        if (limits.retries !== 0) wrong(`${config.name} counts ${limits.retries} retries when all is over`);
        if (stats.inFlight !== 0) wrong(`${config.name} counts ${stats.inFlight} calls when all is over`);
      }
      for (const { cluster, stats } of engine.mirrors.read()) {
        if (stats.inFlight !== 0) wrong(`${stats.inFlight} copies to ${cluster} count when all is over`);
      }
      for (const { exchange } of load.calls) {
        const alive = exchange.sends.find(({ phase }) => phase !== "settled");
        if (alive !== undefined) wrong(`attempt ${alive.number} of ${exchange.name} is ${alive.phase} for ever`);
      }
    },
  };
};
