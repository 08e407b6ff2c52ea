/** What of a control plane's resources is worth asking for: what calls use now, and what the rules in hand would have them use. */

import type { VirtualHost } from "@inmesh/model";
import type { DiscoveredCluster } from "./cluster.js";

/** Nobody has called it for so long, in ms: it is asked for no more. */
const IDLE_MS = 900_000;
/** An aggregate of aggregates (gRFC A37). */
const MOST_LEVELS = 16;

/** Names in use, each with when that was last said. */
export class InUse {
  readonly #at = new Map<string, number>();

  /** @returns whether it was in no use before */
  note(name: string, now: number): boolean {
    const isNew = !this.#at.has(name);
    this.#at.set(name, now);
    return isNew;
  }

  has(name: string): boolean {
    return this.#at.has(name);
  }

  names(): readonly string[] {
    return [...this.#at.keys()];
  }

  /** @returns whether any was forgotten */
  forgetIdle(now: number): boolean {
    const before = this.#at.size;
    for (const [name, at] of this.#at) if (now - at >= IDLE_MS) this.#at.delete(name);
    return this.#at.size < before;
  }
}

/** Clusters that requests of a host may go to. */
export function clustersOf({ routes }: VirtualHost): readonly string[] {
  const destinations = routes.flatMap(({ action, mirrors }) => [
    ...(action.kind === "forward" ? action.destinations : []),
    ...mirrors.map(({ destination }) => destination),
  ]);
  // What a request names is in use from the first that does.
  return [...new Set(destinations.flatMap(({ cluster, forRequest }) => (forRequest === undefined ? cluster : [])))];
}

/** The cluster itself and, of an aggregate, all that it is made of. Cycles end. */
export function withChildren(
  name: string,
  clusters: ReadonlyMap<string, DiscoveredCluster>,
  found = new Set<string>(),
  level = 0,
): ReadonlySet<string> {
  if (found.has(name) || level > MOST_LEVELS) return found;
  found.add(name);
  for (const child of clusters.get(name)?.children ?? []) withChildren(child, clusters, found, level + 1);
  return found;
}
