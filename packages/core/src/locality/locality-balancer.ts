/**
 * Balancers below localities: draws the group by its share, then lets the group's own balancer choose. A call with a hash
 * draws by it, so that it keeps its group while the shares stay (policy-semantics §2.4: affinity holds within a locality).
 */

import type { LocalityPolicy } from "@inmesh/model";
import type { Balancer, BalancerView, Picking } from "../balance/balancer.js";
import type { Outcome } from "../call/attempt.js";
import type { EndpointState } from "../cluster/endpoint-state.js";
import type { Random } from "../runtime/random.js";
import { type ClientZones, type EndpointGroup, type GroupedEndpoints, groupEndpoints } from "./group-endpoints.js";
import { groupShares, sharesWithout } from "./group-shares.js";

/** `retryRemoteLocalities` changes its mind after every second attempt: Envoy's previous_priorities as Istio sets it. */
const ATTEMPTS_PER_CHOICE = 2;

export interface LocalityOptions {
  readonly random: Random;
  /** One for each group. */
  readonly make: () => Balancer;
  readonly clientZones: () => ClientZones;
}

export class LocalityBalancer implements Balancer {
  readonly #policy: LocalityPolicy;
  readonly #options: LocalityOptions;
  #balancers: readonly Balancer[] = [];
  #byKey = new Map<string, Balancer>();
  #grouped: GroupedEndpoints = { groups: [], ranks: [], within: () => [] };
  #shares: readonly number[] = [];
  #groupOf = new Map<EndpointState, number>();
  #isEmpty = true;
  /** Of all localities, those that get no calls included: endpoints, and those that are well. */
  #all = 0;
  #usable = 0;

  constructor(policy: LocalityPolicy, options: LocalityOptions) {
    this.#policy = policy;
    this.#options = options;
  }

  update(usable: readonly EndpointState[], all: readonly EndpointState[], minHealthRatio = 0): void {
    const grouped = groupEndpoints(this.#policy, usable, all, this.#options.clientZones());
    const { shares, panics } = groupShares(grouped, minHealthRatio);
    const before = this.#byKey;
    this.#byKey = new Map();
    this.#groupOf = new Map();
    this.#balancers = grouped.groups.map((group, index) => {
      const balancer = before.get(group.key) ?? this.#options.make();
      this.#byKey.set(group.key, balancer);
      for (const state of group.all) this.#groupOf.set(state, index);
      balancer.update(panics[index] === true ? group.all : group.usable, group.all);
      return balancer;
    });
    this.#grouped = grouped;
    this.#shares = shares;
    this.#isEmpty = this.#shares.every((share) => share === 0);
    this.#all = all.length;
    this.#usable = usable.length;
  }

  pick(now: number, call: Picking, avoid?: readonly EndpointState[]): EndpointState | undefined {
    const balancers = this.#balancers;
    if (balancers.length < 2) return balancers[0]?.pick(now, call, avoid);
    if (this.#isEmpty) return undefined;
    const shares =
      call.tried !== undefined && call.route?.retry.retryRemoteLocalities ? this.#elsewhere(call.tried) : this.#shares;
    const point = call.hash === undefined ? this.#options.random.next() * 100 : Number(call.hash % 100n) + 0.5;
    let sum = 0;
    let last = 0;
    for (let index = 0; index < shares.length; index++) {
      const share = shares[index]!; // one each
      if (share === 0) continue;
      last = index;
      sum += share;
      if (point < sum) break;
    }
    return balancers[last]!.pick(now, call, avoid);
  }

  observe(state: EndpointState, latencyMs: number, outcome: Outcome, now: number): void {
    const group = this.#groupOf.get(state);
    if (group !== undefined) this.#balancers[group]!.observe?.(state, latencyMs, outcome, now);
  }

  get complaint(): string {
    const nowhere = this.#balancers.length === 0; // well or not, as in a panic: nobody is where calls go
    const count = nowhere ? this.#all : this.#usable;
    if (!this.#isEmpty || count === 0) return "";
    return `none of its ${count} endpoints in use is in a locality that localityLbSetting.distribute sends calls to from here`;
  }

  describe(): BalancerView {
    const groups = this.#grouped.groups.map(({ key, all, usable }, index) => ({
      name: nameOf(key, all),
      share: this.#shares[index]! / 100, // one each
      endpoints: all.length,
      usable: usable.length,
    }));
    const notes = this.#balancers.flatMap((balancer) => balancer.describe?.().notes ?? []);
    return { notes: [...new Set(notes)], groups };
  }

  /** The shares without the groups that were tried; all of them when each was. */
  #elsewhere(tried: readonly EndpointState[]): readonly number[] {
    const seen = tried.length - (tried.length % ATTEMPTS_PER_CHOICE);
    if (seen === 0) return this.#shares;
    const { groups, ranks } = this.#grouped;
    const without = new Set<EndpointGroup>();
    for (const state of tried.slice(0, seen)) {
      const index = this.#groupOf.get(state);
      if (index === undefined) continue;
      // Of a failover it is the rank that was tried, whichever its locality.
      const members = this.#policy.kind === "failover" ? ranks.find((rank) => rank.includes(index)) : undefined;
      for (const each of members ?? [index]) without.add(groups[each]!); // places in it
    }
    const isLeft = groups.some((group) => !without.has(group) && group.usable.length > 0);
    return isLeft ? sharesWithout(this.#grouped, without) : this.#shares;
  }
}

/** A rank with the localities in it, as far as they are few. */
function nameOf(key: string, states: readonly EndpointState[]): string {
  if (!/^rank \d+$/.test(key)) return key === "" ? "no locality" : key;
  const places = new Set(
    states.map(({ endpoint: { locality } }) =>
      locality === undefined ? "no locality" : `${locality.region}/${locality.zone}`.replace(/\/$/, ""),
    ),
  );
  return places.size > 3 ? key : `${key} (${[...places].join(", ")})`;
}
