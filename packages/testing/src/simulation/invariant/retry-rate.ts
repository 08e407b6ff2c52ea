/** Where policy grants retries by rate, no more are made in any stretch of time than were saved up before it and earned within it. */

import { SimMirror } from "../sim-exchange.js";
import type { MakeInvariant } from "./invariant.js";

/** What can be saved up: ten seconds of `minPerSecond`, ten at least. */
const SAVED_S = 10;
const LEAST_SAVED = 10;

/** Since a cluster has such a policy. */
interface Stretch {
  readonly since: number;
  readonly callsBefore: number;
  calls: number;
  retries: number;
  /** Had been decided before. */
  readonly underWay: number;
  /** The most generous policy of it. */
  ratio: number;
  minPerSecond: number;
}

export const retryRate: MakeInvariant = ({ world, view, load }) => {
  const stretches = new Map<string, Stretch>();

  const stretchOf = (cluster: string): Stretch | undefined => {
    const { retryRate: policy } = view.policy(cluster);
    if (policy === undefined) {
      stretches.delete(cluster);
      return undefined;
    }
    let stretch = stretches.get(cluster);
    if (stretch === undefined) {
      const underWay = [...load.waiting].filter(({ call }) => call.retrying).length;
      stretch = {
        since: world.now,
        callsBefore: load.calls.length,
        calls: 0,
        retries: 0,
        underWay,
        ratio: 0,
        minPerSecond: 0,
      };
      stretches.set(cluster, stretch);
    }
    stretch.ratio = Math.max(stretch.ratio, policy.ratio);
    stretch.minPerSecond = Math.max(stretch.minPerSecond, policy.minPerSecond);
    return stretch;
  };

  return {
    sent(exchange, { call }) {
      if (exchange instanceof SimMirror || call.fallback === "destination") return; // decided elsewhere
      const cluster = call.cluster?.config.name ?? "";
      const stretch = stretchOf(cluster);
      if (stretch === undefined) return;
      if (exchange.sends.length === 1) stretch.calls += 1;
      else if (!call.replayed) stretch.retries += 1; // of a call that was replayed, which one is not told
      const { since, calls, retries, underWay, ratio, minPerSecond } = stretch;
      const saved = Math.max(LEAST_SAVED, SAVED_S * minPerSecond);
      // Calls that were refused before their first attempt have begun, too.
      const begun = calls + load.calls.length - stretch.callsBefore;
      const most = saved + underWay + ratio * begun + (minPerSecond * (world.now - since)) / 1_000;
      if (retries > most + 1) {
        world.violate("retryRate", `${cluster} made ${retries} retries in ${world.now - since} ms, ${most} allowed`);
      }
    },
    settled() {
      for (const cluster of [...stretches.keys()]) stretchOf(cluster); // one may have ended
    },
  };
};
