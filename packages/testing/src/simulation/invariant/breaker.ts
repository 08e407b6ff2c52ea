/**
 * A circuit breaker opens with reason, stays open for as long as policy says, then lets probes through, few at a time, and
 * closes or opens again by what they find. Nothing is sent through an open one.
 */

import type { Engine } from "@inmesh/core";
import type { MakeInvariant } from "./invariant.js";

type Breaker = ReturnType<NonNullable<ReturnType<Engine["clusters"]["all"]>[number]["breakers"]>["all"]>[number];
type State = ReturnType<Breaker["state"]>;

/** By what may follow. */
const LEGAL: Readonly<Record<State, readonly State[]>> = {
  closed: ["open"],
  open: ["halfOpen"],
  halfOpen: ["open", "closed"],
};
/** Probes at a time. */
const MOST_PROBES = 4;

export const breaker: MakeInvariant = ({ world, engine, view }) => {
  const known = new WeakMap<Breaker, { state: State; opensAgainAt: number }>();
  /** Ends of attempts by cluster, clock ms. */
  const ends = new Map<string, number[]>();
  const wrong = (message: string): void => world.violate("breaker", message);

  const look = (): void => {
    const { now } = world;
    for (const { config, breakers } of engine.clusters.all()) {
      for (const each of breakers?.all() ?? []) {
        const before = known.get(each) ?? { state: "closed" as const, opensAgainAt: 0 };
        const state = each.state(now);
        const { out } = each.probes;
        if (out > MOST_PROBES) wrong(`${each.name} has ${out} probes out, ${MOST_PROBES} at a time`);
        if (state === before.state) continue;
        world.note(`breaker ${each.name}: ${before.state}, now ${state}`);
        if (!LEGAL[before.state].includes(state)) wrong(`${each.name} was ${before.state} and is ${state}`);
        if (state === "halfOpen" && now < before.opensAgainAt) {
          wrong(`${each.name} is half open ${before.opensAgainAt - now} ms too early`);
        }
        const policy = view.policy(config.name).breaker;
        if (before.state === "closed" && state === "open") {
          const { windowMs, minRequests } = policy ?? each.policy;
          const attempts = (ends.get(config.name) ?? []).filter((at) => at >= now - windowMs).length;
          if (attempts < minRequests)
            wrong(`${each.name} opened after ${attempts} attempts, ${minRequests} are the least`);
        }
        if (state === "open" && policy === undefined) wrong(`${each.name} opened, and no policy asks for it`);
        known.set(each, { state, opensAgainAt: now + (policy?.openMs ?? 0) });
      }
    }
  };

  return {
    sent({ name }, { call, endpoint, breaker: own }) {
      look();
      const { now } = world;
      const cluster = engine.clusters.find(call.cluster?.config.name ?? "");
      const scope = view.policy(cluster?.config.name ?? "").breaker?.scope;
      const inTheWay =
        scope === "cluster"
          ? cluster?.breakers?.all()[0]
          : scope === "endpoint"
            ? cluster?.breakers?.ofEndpoint(endpoint)
            : own;
      if (inTheWay?.state(now) === "open") wrong(`${name} was sent through ${inTheWay.name}, which is open`);
    },
    freed({ call }) {
      const cluster = call.cluster?.config.name ?? "";
      const list = ends.get(cluster);
      if (list === undefined) ends.set(cluster, [world.now]);
      else list.push(world.now);
    },
    breakerChanged: look,
    settled: look,
  };
};
