/** No more is under way to a cluster than its policy allows: requests when one is sent, retries when one is decided. */

import { SimMirror } from "../sim-exchange.js";
import type { MakeInvariant } from "./invariant.js";

export const limits: MakeInvariant = ({ world, network, view, load, engine }) => {
  /** Retries under way after the last event, by cluster. */
  let retriesBefore = new Map<string, number>();
  /** Most attempts under way since then. */
  const busiest = new Map<string, number>();
  /** Ends of attempts by cluster, clock ms, for budgets that look back. */
  const ends = new Map<string, number[]>();

  const activeOf = (cluster: string): number => {
    let active = 0;
    for (const open of network.open) if (open.cluster === cluster) active += 1;
    return active;
  };

  /** Retries that may be under way now, seen generously: as many attempts as there were at any moment of this event. */
  const allowance = (cluster: string): number => {
    const { limits: limit, retryBudget } = view.policy(cluster);
    if (retryBudget === undefined) return limit?.maxRetries || Number.POSITIVE_INFINITY; // 0 is unlimited
    const { ratio, minConcurrency, intervalMs } = retryBudget;
    const since = world.now - intervalMs * 1.5;
    const ended = intervalMs === 0 ? 0 : (ends.get(cluster) ?? []).filter((at) => at >= since).length;
    return Math.max(minConcurrency, Math.floor(ratio * ((busiest.get(cluster) ?? 0) + ended + 1)));
  };

  const noteBusy = (cluster: string): void => {
    busiest.set(cluster, Math.max(busiest.get(cluster) ?? 0, activeOf(cluster)));
  };

  return {
    sent(exchange, { call }) {
      const cluster = call.cluster?.config.name ?? "";
      noteBusy(cluster);
      const most = view.policy(cluster).limits?.maxRequests || Number.POSITIVE_INFINITY; // 0 is unlimited
      const active = activeOf(cluster);
      if (active > most) {
        const kind = exchange instanceof SimMirror ? "copy" : "request";
        world.violate("limits", `${exchange.name} is ${kind} ${active} under way to ${cluster}, ${most} allowed`);
      }
    },
    freed({ call }) {
      const cluster = call.cluster?.config.name ?? "";
      const known = ends.get(cluster);
      if (known === undefined) ends.set(cluster, [world.now]);
      else known.push(world.now);
    },
    settled() {
      const retries = new Map<string, number>();
      for (const { call } of load.waiting) {
        if (!call.retrying || call.cluster === undefined) continue;
        const { name } = call.cluster.config;
        retries.set(name, (retries.get(name) ?? 0) + 1);
      }
      for (const { config, limits: counted } of engine.clusters.all()) {
        const now = retries.get(config.name) ?? 0;
        if (counted.retries !== now) {
          world.violate(
            "limits",
            `${config.name} has ${now} calls that are tried again, counted are ${counted.retries}`,
          );
        }
        const before = retriesBefore.get(config.name) ?? 0;
        // One that a breaker sent here was granted over there, and waits: nothing of it is under way.
        const waits = view.isPending(config.name);
        if (now > before && !waits && now > allowance(config.name)) {
          world.violate("limits", `${config.name} has ${now} retries under way, ${allowance(config.name)} allowed`);
        }
        busiest.set(config.name, activeOf(config.name));
      }
      retriesBefore = retries;
    },
  };
};
