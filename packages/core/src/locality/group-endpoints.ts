/** Puts the endpoints of a cluster into the groups that policy treats apart, and says which share of the calls each gets. */

import type { Locality, LocalityDistribution, LocalityFailover, LocalityPolicy, ZoneAwareness } from "@inmesh/model";
import type { EndpointState } from "../cluster/endpoint-state.js";
import { rankOf } from "./rank.js";
import { weightedShares, zoneShares } from "./share.js";

/** Clients of this service by zone, itself included; undefined when it is not known who they are. */
export type ClientZones = ReadonlyMap<string, number> | undefined;

export interface EndpointGroup {
  /** Known by it from one update to the next. */
  readonly key: string;
  readonly all: readonly EndpointState[];
  readonly usable: readonly EndpointState[];
}

export interface GroupedEndpoints {
  readonly groups: readonly EndpointGroup[];
  /** Places in `groups`, nearest rank first: those of one are healthy or in a panic together. */
  readonly ranks: readonly (readonly number[])[];
  /** Of its rank's calls, in percent, for each group. @param without those that a call is to keep away from */
  within(without?: ReadonlySet<EndpointGroup>): readonly number[];
}

export function groupEndpoints(
  policy: LocalityPolicy,
  usable: readonly EndpointState[],
  all: readonly EndpointState[],
  clients: ClientZones,
): GroupedEndpoints {
  const isUsable = usable.length === all.length ? () => true : memberOf(usable);
  const made = (key: string, states: readonly EndpointState[]): EndpointGroup => ({
    key,
    all: states,
    usable: states.filter(isUsable),
  });
  switch (policy.kind) {
    case "distribute":
      return distributed(policy, all, made);
    case "failover":
      return ranked(policy, all, made);
    case "zoneAware":
      return zoned(policy, all, made, clients);
  }
}

type Made = (key: string, states: readonly EndpointState[]) => EndpointGroup;

function ranked(policy: LocalityFailover, all: readonly EndpointState[], made: Made): GroupedEndpoints {
  const found = ranks(policy, all);
  if (policy.weighsLocalities !== true) {
    return each(found.map(([rank, states]) => made(`rank ${rank}`, states)));
  }
  const parts = found.map(([rank, states]) =>
    [...grouped(states, ({ endpoint }) => localityKey(endpoint.locality))].map(([key, own]) =>
      made(`rank ${rank}, ${key || "no locality"}`, own),
    ),
  );
  const weights = parts.map((groups) => groups.map(({ all: states }) => weightOf(states)));
  return {
    groups: parts.flat(),
    ranks: places(parts),
    within: (without) => parts.flatMap((groups, rank) => weightedShares(sizes(groups, without), weights[rank]!)), // one each
  };
}

/** Every group is a rank. */
function each(groups: readonly EndpointGroup[]): GroupedEndpoints {
  return { groups, ranks: groups.map((_, index) => [index]), within: () => groups.map(() => 100) };
}

function places(parts: readonly (readonly EndpointGroup[])[]): readonly (readonly number[])[] {
  let next = 0;
  return parts.map((groups) => groups.map(() => next++));
}

/** The localities that the shares name; one that two of them mean counts for the first. Those of none get no calls. */
function distributed({ shares }: LocalityDistribution, all: readonly EndpointState[], made: Made): GroupedEndpoints {
  const groups: EndpointGroup[] = [];
  const weights: number[] = [];
  const left = grouped(all, ({ endpoint }) => localityKey(endpoint.locality));
  for (const { to, ratio } of shares) {
    const meant = [...left].filter(([, states]) => isWithin(states[0]!.endpoint.locality, to)); // groups are not empty
    const total = meant.reduce((sum, [, states]) => sum + weightOf(states), 0);
    for (const [key, states] of meant) {
      left.delete(key);
      groups.push(made(key, states));
      weights.push(total === 0 ? ratio / meant.length : (ratio * weightOf(states)) / total);
    }
  }
  const within = (without?: ReadonlySet<EndpointGroup>) => weightedShares(sizes(groups, without), weights);
  return { groups, ranks: places([groups]), within };
}

/** Ranks, of which the first is divided into zones when it is of the client's own region and not too small for it. */
function zoned(
  policy: ZoneAwareness,
  all: readonly EndpointState[],
  made: Made,
  clients: ClientZones,
): GroupedEndpoints {
  const [first, ...others] = ranks(policy, all);
  if (first === undefined) return each([]);
  const further = others.map(([rank, states]) => made(`rank ${rank}`, states));
  const nearest = made(`rank ${first[0]}`, first[1]);
  const { region, zone } = policy.nearness.own;
  const zones = [...grouped(first[1], ({ endpoint }) => zoneKey(endpoint.locality))].map(([key, states]) =>
    made(key, states),
  );
  const inUse = zones.filter(({ usable }) => usable.length > 0).length;
  const isHome = first[1][0]!.endpoint.locality?.region === region; // ranks are not empty
  if (!isHome || inUse < 2 || nearest.usable.length < policy.minClusterSize) return each([nearest, ...further]);
  const own = zoneKey({ region, zone, subZone: "" });
  const within = (without?: ReadonlySet<EndpointGroup>): readonly number[] => {
    const zoneSizes = sizes(zones, without);
    const ofZones = zoneShares(
      zones.map(({ key }, index) => ({
        ...zoneSizes[index]!, // one each
        own: key === own,
        // Differs: Envoy needs to know its peers. Where they are not known, they are taken to be everywhere alike.
        clients: clients === undefined ? 1 : (clients.get(key) ?? 0),
      })),
    );
    return [...ofZones, ...further.map(() => 100)];
  };
  return { groups: [...zones, ...further], ranks: places([zones, ...further.map((group) => [group])]), within };
}

/** Nearest first; numbers without gaps. */
function ranks(
  policy: LocalityFailover | ZoneAwareness,
  all: readonly EndpointState[],
): readonly (readonly [rank: number, states: readonly EndpointState[]])[] {
  const byRank = [...grouped(all, ({ endpoint }) => rankOf(endpoint, policy))].sort(([a], [b]) => a - b);
  return byRank.map(([, states], index) => [index, states]);
}

export function sizes(groups: readonly EndpointGroup[], without?: ReadonlySet<EndpointGroup>) {
  return groups.map((group) => ({
    all: group.all.length,
    usable: without?.has(group) === true ? 0 : group.usable.length,
  }));
}

function grouped<Key>(
  states: readonly EndpointState[],
  keyOf: (state: EndpointState) => Key,
): Map<Key, EndpointState[]> {
  const groups = new Map<Key, EndpointState[]>();
  for (const state of states) {
    const key = keyOf(state);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [state]);
    else group.push(state);
  }
  return groups;
}

function memberOf(states: readonly EndpointState[]): (state: EndpointState) => boolean {
  const members = new Set(states);
  return (state) => members.has(state);
}

export function weightOf(states: readonly EndpointState[]): number {
  return states.reduce((sum, { endpoint }) => sum + endpoint.weight, 0);
}

/** Empty parts of `pattern` mean any. */
function isWithin(found: Locality | undefined, { region, zone, subZone }: Locality): boolean {
  const fits = (wanted: string, part = "") => wanted === "" || wanted === part;
  return fits(region, found?.region) && fits(zone, found?.zone) && fits(subZone, found?.subZone);
}

function localityKey(locality: Locality | undefined): string {
  const { region = "", zone = "", subZone = "" } = locality ?? {};
  return [region, zone, subZone].join("/").replace(/\/+$/, "");
}

export function zoneKey(locality: Locality | undefined): string {
  return locality === undefined ? "" : `${locality.region}/${locality.zone}`;
}
