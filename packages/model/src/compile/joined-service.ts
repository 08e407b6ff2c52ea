/**
 * One host in several ServiceEntries of one namespace: one service with the ports of all. An endpoint stands behind the
 * ports that its own entry has, by number and name. policy-semantics §3.1; asked of istiod 1.26.
 */

import type { Service, ServicePort } from "../snapshot/workload.js";

/** The newest service made of each oldest part: as long as its parts stay, so does the object. */
export type JoinedServices = WeakMap<Service, Service>;

/** @param remembered what was joined before */
export function joinServices(parts: readonly Service[], remembered: JoinedServices): Service | undefined {
  const [first] = parts;
  if (first === undefined || parts.length === 1) return first;
  const known = remembered.get(first);
  if (known?.joins?.length === parts.length && known.joins.every((part, index) => part === parts[index])) return known;
  const joined: Service = {
    ...first,
    ports: distinctPorts(parts),
    addresses: [...new Set(parts.flatMap(({ addresses }) => addresses))],
    subjectAltNames: [...new Set(parts.flatMap(({ subjectAltNames }) => subjectAltNames))],
    joins: parts,
  };
  remembered.set(first, joined);
  return joined;
}

/** Others are left aside: the older one has the host. */
export function joins(older: Service, younger: Service): boolean {
  return (
    isEntry(older) &&
    isEntry(younger) &&
    older.namespace === younger.namespace &&
    older.resolution === younger.resolution &&
    older.exportTo.join() === younger.exportTo.join()
  );
}

/** Those whose endpoints stand behind a port of the service they make up. */
export function partsWithPort({ ports, joins = [] }: Service, number: number): readonly Service[] {
  const name = ports.find((port) => port.number === number)?.name;
  return joins.filter((part) => part.ports.some((port) => port.number === number && port.name === name));
}

function isEntry({ resource }: Service): boolean {
  return resource.startsWith("ServiceEntry/");
}

function distinctPorts(parts: readonly Service[]): readonly ServicePort[] {
  const ports = new Map<number, ServicePort>();
  for (const port of parts.flatMap((part) => part.ports)) if (!ports.has(port.number)) ports.set(port.number, port);
  return [...ports.values()];
}
