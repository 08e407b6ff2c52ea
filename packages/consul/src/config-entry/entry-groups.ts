/** Services whose entries lead to each other, by whatever way: routers, splits, redirects, failover. */

import type { ConfigEntries } from "./config-entry.js";

export interface EntryGroup {
  /** The first of its services by name, which no other group has. */
  readonly name: string;
  /** Those of its services, and what is said of all. */
  readonly entries: ConfigEntries;
  /** The entries themselves, in the order of the names: the same objects mean the same group. */
  readonly parts: readonly unknown[];
}

/** In the order of their names. Intentions are in none: they are about who may call, not about where calls go. */
export function entryGroups(entries: ConfigEntries): readonly EntryGroup[] {
  const { resolvers, splitters, routers, defaults } = entries;
  const names = [...new Set([resolvers, splitters, routers, defaults].flatMap((each) => [...each.keys()]))].sort();
  const leaders = new Leaders();
  for (const name of names) for (const other of namedBy(entries, name)) leaders.join(name, other);
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const leader = leaders.of(name);
    const group = groups.get(leader);
    if (group === undefined) groups.set(leader, [name]);
    else group.push(name);
  }
  return [...groups.values()].map((services) => groupOf(entries, services));
}

function groupOf(entries: ConfigEntries, services: readonly string[]): EntryGroup {
  const { proxy, mesh } = entries;
  const only = <Entry>(from: ReadonlyMap<string, Entry>): Map<string, Entry> => {
    const found = new Map<string, Entry>();
    for (const name of services) {
      const entry = from.get(name);
      if (entry !== undefined) found.set(name, entry);
    }
    return found;
  };
  const { resolvers, splitters, routers, defaults } = entries;
  const own = [only(resolvers), only(splitters), only(routers), only(defaults)] as const;
  return {
    name: services[0] ?? "",
    entries: { resolvers: own[0], splitters: own[1], routers: own[2], defaults: own[3], proxy, mesh, intentions: [] },
    parts: [proxy, mesh, ...own.flatMap((each) => [each.size, ...each.values()])],
  };
}

/** Empty where an entry means its own service. */
function namedBy({ resolvers, splitters, routers }: ConfigEntries, name: string): readonly string[] {
  const { redirect, failover } = resolvers.get(name) ?? {};
  return [
    ...(routers.get(name)?.routes.map(({ destination }) => destination.service) ?? []),
    ...(splitters.get(name)?.splits.map(({ service }) => service) ?? []),
    redirect?.service ?? "",
    ...[...(failover?.values() ?? [])].flatMap(({ service, targets }) => [
      service,
      ...targets.map((each) => each.service),
    ]),
  ].filter((each) => each !== "");
}

/** Disjoint sets: each name leads to another of its set, the last one to itself. */
class Leaders {
  readonly #next = new Map<string, string>();

  of(name: string): string {
    let leader = name;
    for (let next = this.#next.get(leader); next !== undefined; next = this.#next.get(leader)) leader = next;
    if (leader !== name) this.#next.set(name, leader); // shorter the next time
    return leader;
  }

  join(a: string, b: string): void {
    const [first, second] = [this.of(a), this.of(b)];
    if (first !== second) this.#next.set(second, first);
  }
}
