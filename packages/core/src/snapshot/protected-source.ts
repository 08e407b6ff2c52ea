/**
 * A registry that lost its memory tells the same as one whose services were all switched off. So instances that vanish
 * in a mass, all in one view, stay in use for a while: as suspects, until they are told again, refuse connections, or the
 * time is over and the registry is obeyed (pitfalls D6).
 *
 * A mass is more than a share of a service's instances, and a few at least; or all there were. What was replaced in the
 * same view is not lost: a service counts by how many fewer it has. Losses one by one are obeyed at once, however many
 * they become: that is how processes leave. So is a registry that is away no loss: its source keeps telling the last view.
 *
 * Where processes say farewell before they remove their lease, one that vanishes without it was forgotten by the registry
 * and is a suspect by itself, and none that said it ever is.
 */

import type { Workload } from "@inmesh/model";
import { type Clock, systemClock, type Timer } from "../runtime/clock.js";
import { type Fate, HeldNotices, type OnHeld } from "./held-notices.js";
import { endpointsOf, type Instance, type InstanceChange, Instances, instanceKey, isLease } from "./instances.js";
import type { HeldInstances, RegistryView, ServiceRef, Source, SourceStatus } from "./source.js";

export interface Protection {
  /** How long suspects stay, in ms; 0: nothing is held back. @default 30_000 */
  readonly windowMs?: number;
  /** Of a service's instances, in percent: more than this must be lost at once. @default 50 */
  readonly percent?: number;
  /** Fewer lost at once are no mass, unless none is left. @default 3 */
  readonly least?: number;
}

export interface ProtectedSourceOptions extends Protection {
  readonly source: Source;
  readonly clock?: Clock;
  /** Whether leases are told as `leaving` before they vanish, unless the registry lost them. @default false */
  readonly farewells?: boolean;
  /** A line when instances are held back, and one when none is any more. @default nobody hears it */
  readonly onHeld?: OnHeld;
}

interface Suspect extends Instance {
  readonly endpoints: readonly string[];
  readonly since: number;
  readonly until: number;
}

/** In ms: who refused a connection that shortly before it vanished is no suspect. */
const REFUSAL_COUNTS_MS = 5_000;
/** Endpoints whose refusals are remembered. */
const MOST_REFUSALS = 10_000;

export class ProtectedSource implements Source {
  readonly use?: (service: ServiceRef) => void;
  readonly #source: Source;
  readonly #clock: Clock;
  readonly #windowMs: number;
  readonly #share: number;
  readonly #least: number;
  readonly #farewells: boolean;
  readonly #notices: HeldNotices;
  readonly #listeners: ((view: RegistryView) => void)[] = [];
  /** As the registry tells it. */
  #told: RegistryView | undefined;
  /** Of that view. */
  readonly #instances = new Instances();
  readonly #suspects = new Map<string, Suspect>();
  /** Of services with suspects: how many instances they had. */
  readonly #before = new Map<string, number>();
  /** Clock ms by endpoint, the oldest first. */
  readonly #refusals = new Map<string, number>();
  #held: readonly HeldInstances[] = [];
  #timer: Timer | undefined;

  constructor(options: ProtectedSourceOptions) {
    const { source, clock = systemClock, windowMs = 30_000, percent = 50, least = 3 } = options;
    const { farewells = false, onHeld = () => {} } = options;
    this.#source = source;
    this.#clock = clock;
    this.#windowMs = windowMs;
    this.#share = percent / 100;
    this.#least = least;
    this.#farewells = farewells;
    this.#notices = new HeldNotices(clock, windowMs, onHeld, () => this.#held);
    if (source.use !== undefined) this.use = (service) => source.use?.(service);
  }

  get status(): SourceStatus {
    const { status } = this.#source;
    return this.#held.length === 0 ? status : { ...status, held: this.#held };
  }

  watch(listener: (view: RegistryView) => void): void {
    this.#listeners.push(listener);
    if (this.#listeners.length === 1) return this.#source.watch((view) => this.#take(view));
    if (this.#told !== undefined) listener(this.#shown(this.#told));
  }

  /** Nobody listens at `address:port`, as a call found out: a suspect there is gone. */
  refused(endpoint: string): void {
    const gone = [...this.#suspects].filter(([, { endpoints }]) => endpoints.includes(endpoint));
    for (const [key] of gone) this.#drop(key, "refused");
    if (gone.length > 0) return this.#show();
    const now = this.#clock.now();
    this.#refusals.delete(endpoint); // it moves to the end
    this.#refusals.set(endpoint, now);
    for (const [oldest, at] of this.#refusals) {
      if (now - at <= REFUSAL_COUNTS_MS && this.#refusals.size <= MOST_REFUSALS) break;
      this.#refusals.delete(oldest);
    }
  }

  close(): Promise<void> {
    this.#listeners.length = 0;
    this.#timer?.cancel();
    this.#notices.close();
    return this.#source.close();
  }

  #take(view: RegistryView): void {
    this.#told = view;
    const change = this.#instances.update(view);
    if (change !== undefined && change.lost.size + this.#suspects.size > 0) this.#judge(change);
    if (this.#suspects.size > 0) this.#dropUnused(view);
    this.#show();
  }

  #judge({ lost, leaving, told, had }: InstanceChange): void {
    const taken = this.#instances.endpoints();
    this.#dropReturned(taken, leaving);
    if (this.#windowMs === 0) return;
    for (const [service, instances] of lost) {
      const before = had.get(service) ?? 0;
      const left = this.#instances.count(service);
      const isMass = before - left > this.#share * before && (instances.length >= this.#least || left === 0);
      const held = isMass ? instances : left < before ? this.#forgotten(instances, told) : [];
      if (held.length > 0) this.#hold(service, held, before, taken);
    }
  }

  /** Those that are told no more at all, though their process would have said so before. */
  #forgotten(lost: readonly Instance[], told: ReadonlySet<string>): readonly Instance[] {
    return this.#farewells ? lost.filter(({ item, key }) => isLease(item) && !told.has(key)) : [];
  }

  /** @param taken endpoints of instances that are told */
  #hold(service: string, instances: readonly Instance[], before: number, taken: ReadonlySet<string>): void {
    const now = this.#clock.now();
    for (const instance of instances) {
      const endpoints = endpointsOf(instance.item);
      const refused = (endpoint: string) => now - (this.#refusals.get(endpoint) ?? -Infinity) <= REFUSAL_COUNTS_MS;
      if (endpoints.some(refused) || endpoints.every((endpoint) => taken.has(endpoint))) continue;
      this.#suspects.set(instance.key, { ...instance, endpoints, since: now, until: now + this.#windowMs });
      this.#before.set(service, Math.max(before, this.#before.get(service) ?? 0));
      this.#notices.began(service);
    }
  }

  /** Told again, under its name or at its address, or with a farewell; or there are as many others as there were. */
  #dropReturned(taken: ReadonlySet<string>, leaving: ReadonlySet<string>): void {
    for (const [key, { service, endpoints }] of this.#suspects) {
      const full = this.#instances.count(service) >= (this.#before.get(service) ?? 0);
      if (this.#instances.has(key)) this.#drop(key, "back");
      else if (leaving.has(key)) this.#drop(key, "left");
      else if (full || endpoints.every((endpoint) => taken.has(endpoint))) this.#drop(key, "replaced");
    }
  }

  /** A source that stops telling of a service has not lost its instances. */
  #dropUnused({ services = [] }: RegistryView): void {
    const unused = new Set<string>();
    for (const { namespace, service, loaded } of services) if (!loaded) unused.add(`${namespace}/${service}`);
    if (unused.size === 0) return;
    for (const [key, { service }] of this.#suspects) if (unused.has(service)) this.#drop(key, "unused");
  }

  #drop(key: string, fate: Fate): void {
    if (this.#suspects.delete(key)) this.#notices.ended(fate);
  }

  #show(): void {
    this.#held = heldByService(this.#suspects.values(), this.#before);
    const held = new Set(this.#held.map(({ namespace, service }) => `${namespace}/${service}`));
    for (const service of this.#before.keys()) if (!held.has(service)) this.#before.delete(service);
    this.#arm();
    this.#notices.changed();
    if (this.#told === undefined) return;
    const view = this.#shown(this.#told);
    for (const listener of this.#listeners) listener(view);
  }

  #shown(told: RegistryView): RegistryView {
    if (this.#suspects.size === 0) return told;
    const { leases, workloads = [] } = told;
    const suspects = [...this.#suspects.values()].map(({ item }) => item);
    const heldLeases = suspects.filter(isLease);
    const heldWorkloads = suspects.filter((item): item is Workload => !isLease(item));
    // A suspect may be told as not healthy: it is shown as it was.
    const others = <Item extends Instance["item"]>(items: readonly Item[]): Item[] =>
      items.filter((item) => !this.#suspects.has(instanceKey(item)));
    return {
      ...told,
      leases: [...others(leases), ...heldLeases].sort((a, b) => (a.name < b.name ? -1 : 1)),
      ...(workloads.length + heldWorkloads.length > 0 && { workloads: [...others(workloads), ...heldWorkloads] }),
    };
  }

  #arm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    let until = Infinity;
    for (const suspect of this.#suspects.values()) until = Math.min(until, suspect.until);
    if (until !== Infinity) this.#timer = this.#clock.after(until - this.#clock.now(), () => this.#obey());
  }

  #obey(): void {
    const now = this.#clock.now();
    for (const [key, { until }] of this.#suspects) if (until <= now) this.#drop(key, "obeyed");
    this.#show();
  }
}

function heldByService(suspects: Iterable<Suspect>, before: ReadonlyMap<string, number>): readonly HeldInstances[] {
  const byService = new Map<string, Suspect[]>();
  for (const suspect of suspects) {
    const others = byService.get(suspect.service);
    if (others === undefined) byService.set(suspect.service, [suspect]);
    else others.push(suspect);
  }
  return [...byService].map(([name, all]) => ({
    namespace: name.slice(0, name.indexOf("/")),
    service: name.slice(name.indexOf("/") + 1),
    instances: all.map(({ item }) => item.name),
    of: before.get(name) ?? all.length,
    since: Math.min(...all.map(({ since }) => since)),
    until: Math.max(...all.map(({ until }) => until)),
  }));
}
