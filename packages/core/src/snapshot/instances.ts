/** Instances that can be called, whoever registered them, from view to view: the cost of one follows what changed. */

import { endpointId, type Workload } from "@inmesh/model";
import type { Lease, RegistryView } from "./source.js";

export interface Instance {
  /** The view's own object. */
  readonly item: Lease | Workload;
  /** Says which one it is, from view to view. */
  readonly key: string;
  /** `namespace/service`. */
  readonly service: string;
}

export interface InstanceChange {
  /** By the name of their service: told before, and not now, though nobody said farewell for them. */
  readonly lost: ReadonlyMap<string, readonly Instance[]>;
  /** Keys of those that came with a farewell. */
  readonly leaving: ReadonlySet<string>;
  /** Where some are lost, keys of leases: a lost one that is not among them is told no more at all. */
  readonly told: ReadonlySet<string>;
  /** How many there were, of every service of which one came, went or changed. */
  readonly had: ReadonlyMap<string, number>;
}

/** Healthy instances with a port. */
export class Instances {
  readonly #byKey = new Map<string, Instance>();
  /** By service. */
  readonly #counts = new Map<string, number>();
  #leases: readonly Lease[] = [];
  #workloads: readonly Workload[] = [];

  /** @returns undefined when nothing came, went, changed or said farewell */
  update({ leases, workloads = [] }: RegistryView): InstanceChange | undefined {
    const [before, now] = difference<Lease | Workload>(this.#leases, leases);
    const [othersBefore, othersNow] = difference<Lease | Workload>(this.#workloads, workloads);
    this.#leases = leases;
    this.#workloads = workloads;
    const gone = [...before, ...othersBefore].filter(isCallable).map(instanceOf);
    const come = [...now, ...othersNow].filter(isCallable).map(instanceOf);
    const leaving = new Set(now.filter(saysFarewell).map(instanceKey));
    if (gone.length + come.length + leaving.size === 0) return undefined;
    const had = new Map([...gone, ...come].map(({ service }) => [service, this.count(service)]));
    for (const { key, service, item } of gone) {
      if (this.#byKey.get(key)?.item === item && this.#byKey.delete(key)) this.#add(service, -1);
    }
    for (const instance of come) {
      if (!this.#byKey.has(instance.key)) this.#add(instance.service, 1);
      this.#byKey.set(instance.key, instance);
    }
    const lost = new Map<string, Instance[]>();
    for (const instance of gone) {
      if (this.#byKey.has(instance.key) || leaving.has(instance.key)) continue;
      const others = lost.get(instance.service);
      if (others === undefined) lost.set(instance.service, [instance]);
      else others.push(instance);
    }
    const told = new Set(lost.size === 0 ? [] : now.map(instanceKey));
    return { lost, leaving, told, had };
  }

  /** @param service `namespace/service` */
  count(service: string): number {
    return this.#counts.get(service) ?? 0;
  }

  has(key: string): boolean {
    return this.#byKey.has(key);
  }

  /** All of `address:port`. */
  endpoints(): ReadonlySet<string> {
    return new Set([...this.#byKey.values()].flatMap(({ item }) => endpointsOf(item)));
  }

  #add(service: string, change: 1 | -1): void {
    const count = this.count(service) + change;
    if (count === 0) this.#counts.delete(service);
    else this.#counts.set(service, count);
  }
}

export function instanceKey(item: Lease | Workload): string {
  return isLease(item) ? `lease ${item.name}` : `workload ${item.namespace}/${item.service ?? ""}/${item.name}`;
}

export function isLease(item: Lease | Workload): item is Lease {
  return "instance" in item;
}

function saysFarewell(item: Lease | Workload): boolean {
  return isLease(item) && item.leaving === true;
}

/** `address:port` of each of its ports. */
export function endpointsOf({ address, ports }: Lease | Workload): string[] {
  return ports.map(({ number }) => endpointId(address, number));
}

function instanceOf(item: Lease | Workload): Instance {
  return { item, key: instanceKey(item), service: `${item.namespace}/${item.service ?? ""}` };
}

function isCallable({ ports, healthy, service }: Lease | Workload): boolean {
  return ports.length > 0 && healthy !== false && service !== undefined;
}

/** What lies between the part that both lists begin with and the one they end with: lists are in an order that stays. */
function difference<Item>(before: readonly Item[], now: readonly Item[]): readonly [readonly Item[], readonly Item[]] {
  if (before === now) return [[], []];
  const shorter = Math.min(before.length, now.length);
  let start = 0;
  while (start < shorter && before[start] === now[start]) start += 1;
  let end = 0;
  while (end < shorter - start && before[before.length - 1 - end] === now[now.length - 1 - end]) end += 1;
  return [before.slice(start, before.length - end), now.slice(start, now.length - end)];
}
