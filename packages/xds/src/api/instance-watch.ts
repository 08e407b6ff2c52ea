/** Instances of the services in use, by EDS: what is asked for, what was answered, and what it comes to. */

import type { Clock, ServiceRef, Timer } from "@inmesh/core";
import type { KnownService, Workload } from "@inmesh/model";
import type { ClusterAssignment, ResourceType, Watch, XdsClient } from "../client/index.js";
import { AccountWatch } from "./account-watch.js";
import { assignmentName } from "./assignment.js";
import { instancesOf } from "./instances.js";
import { assignmentNames, type ToldService } from "./told-service.js";

export interface InstanceWatchOptions {
  readonly client: XdsClient;
  readonly assignments: ResourceType<ClusterAssignment>;
  readonly clock: Clock;
  /** The process has a certificate, and so expects one of whoever serves it. */
  readonly secured: boolean;
  /** Something was answered. */
  readonly onChange: () => void;
}

/** A service that nobody said to need for so long is asked for no more, in ms. */
const IDLE_MS = 3_600_000;
/** Between two looks at who is idle, in ms. */
const LOOK_MS = 600_000;

const NOBODY: readonly Workload[] = [];

export class InstanceWatch {
  readonly #options: InstanceWatchOptions;
  /** Clock ms of the last time that somebody said to need it, by `namespace/service`. */
  readonly #used = new Map<string, number>();
  readonly #answers = new Map<string, ClusterAssignment>();
  /** Names that have an answer, if only that there is none. */
  readonly #answered = new Set<string>();
  readonly #look: Timer;
  #wanted: ReadonlySet<string> = new Set();
  #watch: Watch | undefined;
  #accounts: AccountWatch | undefined;
  #services: readonly ToldService[] = [];
  /** Of those in use, by host, the ones that were told of: they stay so while a new port or subset is asked for. */
  #loaded: ReadonlySet<string> = new Set();
  /** By its name. */
  #workloads: ReadonlyMap<string, Workload> = new Map();
  #known: ReadonlyMap<string, KnownService> = new Map();

  constructor(options: InstanceWatchOptions) {
    this.#options = options;
    this.#look = options.clock.every(LOOK_MS, () => this.#forgetIdle());
  }

  /** These are the services there are. */
  follow(services: readonly ToldService[]): void {
    this.#services = services;
    this.#ask();
  }

  use(service: ServiceRef): void {
    const key = keyOf(service);
    const known = this.#used.has(key);
    this.#used.set(key, this.#options.clock.now());
    if (!known) this.#ask();
  }

  /** Whether something that is in use has not been answered yet. */
  get unanswered(): boolean {
    for (const name of this.#wanted) if (!this.#answered.has(name)) return true;
    return this.#accounts?.told === false;
  }

  /** What is known now. Workloads and services that did not change keep their objects. */
  show(): { readonly workloads: readonly Workload[]; readonly services: readonly KnownService[] } {
    const loaded = this.#services.filter((service) => this.#isLoaded(service));
    this.#loaded = new Set(loaded.map(({ host }) => host));
    return { workloads: this.#workloadsOf(loaded), services: this.#knownServices() };
  }

  close(): void {
    this.#look.cancel();
    this.#watch?.close();
    this.#accounts?.close();
  }

  #workloadsOf(loaded: readonly ToldService[]): readonly Workload[] {
    const found = loaded.flatMap((service) => instancesOf(service, this.#answers, this.#workloads));
    this.#workloads = new Map(found.map((workload) => [`${workload.namespace}/${workload.name}`, workload]));
    return found.length === 0 ? NOBODY : found;
  }

  /** By the names under which callers say that they need them. */
  #knownServices(): readonly KnownService[] {
    const known = new Map<string, KnownService>();
    for (const service of this.#services) {
      if (service.ref === undefined) continue;
      const key = keyOf(service.ref);
      const loaded = this.#loaded.has(service.host) && known.get(key)?.loaded !== false;
      const servedBy = this.#accounts?.servedBy(service);
      const before = this.#known.get(key);
      const isSame = before?.loaded === loaded && before.servedBy?.join() === servedBy?.join();
      known.set(key, isSame ? before : { ...service.ref, loaded, ...(servedBy && { servedBy }) });
    }
    this.#known = known;
    return [...known.values()];
  }

  #isUsed({ ref }: ToldService): boolean {
    return ref === undefined || this.#used.has(keyOf(ref));
  }

  #isLoaded(service: ToldService): boolean {
    if (!this.#isUsed(service) || this.#accounts?.told === false) return false;
    // Subsets are waited for by whoever shows it, and not for ever.
    const names = service.ports.map(({ number }) => assignmentName(number, "", service.host));
    return this.#loaded.has(service.host) || names.every((name) => this.#answered.has(name));
  }

  #forgetIdle(): void {
    const now = this.#options.clock.now();
    for (const [key, usedAt] of this.#used) if (now - usedAt >= IDLE_MS) this.#used.delete(key);
    this.#ask();
  }

  /** Brings the names that are asked for up to date. */
  #ask(): void {
    const wanted = new Set(this.#services.filter((service) => this.#isUsed(service)).flatMap(assignmentNames));
    const added = [...wanted].filter((name) => !this.#wanted.has(name));
    const gone = [...this.#wanted].filter((name) => !wanted.has(name));
    this.#wanted = wanted;
    for (const name of gone) {
      this.#answers.delete(name);
      this.#answered.delete(name);
    }
    if (gone.length > 0) this.#watch?.remove(gone);
    if (added.length === 0) return;
    const { client, clock, assignments, secured, onChange } = this.#options;
    if (secured) this.#accounts ??= new AccountWatch({ client, clock, onChange });
    if (this.#watch !== undefined) return this.#watch.add(added);
    this.#watch = client.watch(assignments, {
      names: added,
      onChanges: ({ changed, removed }) => {
        for (const [name, assignment] of changed) this.#answer(name, assignment);
        for (const name of removed) this.#answer(name, undefined);
        onChange();
      },
    });
  }

  #answer(name: string, assignment: ClusterAssignment | undefined): void {
    if (!this.#wanted.has(name)) return;
    this.#answered.add(name);
    if (assignment === undefined) this.#answers.delete(name);
    else this.#answers.set(name, assignment);
  }
}

function keyOf({ namespace, service }: ServiceRef): string {
  return `${namespace}/${service}`;
}
