/** Services that exist because a process says it is one, or a registry has their name; and what changes with either. */

import type { Service } from "../snapshot/workload.js";
import type { KnownNames } from "./known-names.js";
import { implicitService } from "./services.js";
import type { WorkloadIndex } from "./workload-index.js";

export interface ImplicitServices {
  /** By `namespace/service`. The same map as before when nothing changed. */
  readonly services: ReadonlyMap<string, Service>;
  readonly leases: WorkloadIndex["leases"];
  /** Services that are other objects than before, where nothing else changed; undefined where some came or went. */
  readonly replaced: readonly (readonly [before: Service, after: Service])[] | undefined;
}

/** @param changed keys of `names` that are not as they were with `previous` */
export function implicitServices(
  { leases }: WorkloadIndex,
  names: KnownNames | undefined,
  changed: readonly string[],
  exportTo: readonly string[],
  previous: ImplicitServices | undefined,
): ImplicitServices {
  const make = (key: string): Service | undefined => {
    const known = names?.get(key);
    if (known === undefined && !leases.has(key)) return undefined;
    const slash = key.indexOf("/");
    return implicitService(key.slice(slash + 1), key.slice(0, slash), exportTo, known);
  };
  if (previous === undefined) {
    const services = new Map<string, Service>();
    for (const key of new Set([...(names?.keys() ?? []), ...leases.keys()])) {
      const service = make(key);
      if (service !== undefined) services.set(key, service);
    }
    return { services, leases, replaced: undefined };
  }
  const touched = new Set(leases === previous.leases ? changed : [...changed, ...comeOrGone(previous, leases)]);
  if (touched.size === 0) return { ...previous, leases, replaced: [] };
  const services = new Map(previous.services);
  const replaced: [Service, Service][] = [];
  let sameKeys = true;
  for (const key of touched) {
    const before = services.get(key);
    const after = make(key);
    if (after === undefined) services.delete(key);
    else services.set(key, after);
    if (before !== undefined && after !== undefined) replaced.push([before, after]);
    else if (before !== after) sameKeys = false;
  }
  return { services, leases, replaced: sameKeys ? replaced : undefined };
}

/** Names that registries list stay without leases; that they had some or have some now makes no other service. */
function comeOrGone(
  { services, leases: before }: ImplicitServices,
  leases: WorkloadIndex["leases"],
): readonly string[] {
  const come = [...leases.keys()].filter((key) => !services.has(key));
  const gone = [...before.keys()].filter((key) => !leases.has(key) && services.get(key)?.knownAs === undefined);
  return [...come, ...gone];
}
