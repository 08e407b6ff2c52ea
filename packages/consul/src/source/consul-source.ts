/**
 * What Consul says, as the mesh reads it: the names of all services by one watch, the instances of each service in use by
 * one each, and policy by one. Every view is whole, and holds the same objects as the one before for all that is the same.
 */

import type { Clock, Random, RegistryView, ServiceRef, Source, SourceStatus, Timer } from "@inmesh/core";
import { uniqueDocuments } from "@inmesh/core/internal";
import type { ConsulClient } from "../client/consul-client.js";
import { policyPrefix } from "../keys.js";
import { consulName } from "../service-name.js";
import { BlockingQuery } from "../watch/blocking-query.js";
import { Heartbeat } from "../watch/heartbeat.js";
import { kvEntries, type ParseDocuments, PolicyKeys } from "./policy-keys.js";
import { catalogNames, ServiceNames } from "./service-names.js";
import { ServiceWatch } from "./service-watch.js";

export interface ConsulSourceOptions {
  readonly client: ConsulClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly parse: ParseDocuments;
  /** Whose instances are told: those of services that `use` named, or everybody's. @default "used" */
  readonly scope?: "used" | "all";
}

/** What comes within this many ms is one view. */
const BATCH_MS = 10;
/** How long the first view waits for the instances of services that are in use already, in ms, once all else is there. */
const FIRST_PATIENCE_MS = 3_000;
/** A service that nobody called for so long is watched no more, in ms. */
const IDLE_MS = 3_600_000;
const IDLE_LOOK_MS = 60_000;
/** A server that has not heard of a leader for longer is behind, in ms; elections take less. */
const MOST_LAG_MS = 10_000;

export class ConsulSource implements Source {
  readonly #options: ConsulSourceOptions;
  readonly #all: boolean;
  readonly #names: ServiceNames;
  readonly #policy: PolicyKeys;
  readonly #catalogWatch: BlockingQuery;
  readonly #policyWatch: BlockingQuery;
  readonly #heartbeat: Heartbeat;
  readonly #services = new Map<string, ServiceWatch>();
  readonly #listeners: ((view: RegistryView) => void)[] = [];
  #view: RegistryView | undefined;
  #documents: ReturnType<typeof uniqueDocuments> | undefined;
  #status: SourceStatus;
  #batch: Timer | undefined;
  #patience: Timer | undefined;
  #patient = true;
  #idleLook: Timer | undefined;
  #closed = false;

  constructor(options: ConsulSourceOptions) {
    const { client, clock, random, parse, scope = "used" } = options;
    const { target, shown } = client;
    this.#options = options;
    this.#all = scope === "all";
    this.#names = new ServiceNames(target.namespace);
    this.#policy = new PolicyKeys(parse, target.namespace);
    this.#status = { state: "connecting", since: clock.now() };
    const onSettled = (): void => this.#settled();
    this.#catalogWatch = new BlockingQuery({
      ...{ client, clock, random, onSettled },
      path: "/catalog/services",
      onAnswer: ({ body }) => this.#takeNames(catalogNames(body, shown)),
    });
    const prefix = policyPrefix(target);
    this.#policyWatch = new BlockingQuery({
      ...{ client, clock, random, onSettled },
      path: keyPath(prefix),
      query: { recurse: "" },
      onAnswer: ({ status, body }) => {
        const changed = this.#policy.update(kvEntries(status, body, shown));
        if (changed) this.#documents = undefined;
        return this.#changed(changed);
      },
    });
    this.#heartbeat = new Heartbeat({
      ...{ client, clock, random, onSettled },
      path: keyPath(prefix),
      onReturn: () => this.#renew(),
    });
  }

  get status(): SourceStatus {
    return this.#status;
  }

  watch(listener: (view: RegistryView) => void): void {
    this.#listeners.push(listener);
    if (this.#listeners.length > 1) {
      if (this.#view !== undefined) listener(this.#view);
      return;
    }
    this.#idleLook = this.#options.clock.every(IDLE_LOOK_MS, () => this.#dropIdle());
    for (const watch of [this.#catalogWatch, this.#policyWatch, this.#heartbeat, ...this.#services.values()])
      watch.start();
  }

  use(service: ServiceRef): void {
    const name = consulName(service, this.#options.client.target.namespace);
    const watch = this.#services.get(name) ?? this.#open(name);
    watch.usedAt = this.#options.clock.now();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#listeners.length = 0;
    for (const timer of [this.#batch, this.#patience, this.#idleLook]) timer?.cancel();
    for (const watch of [this.#catalogWatch, this.#policyWatch, this.#heartbeat, ...this.#services.values()])
      watch.close();
  }

  #takeNames(names: readonly string[]): boolean {
    const changed = this.#names.update(names);
    if (changed && this.#all) {
      const present = new Set(this.#names.names);
      for (const name of present) if (!this.#services.has(name)) this.#open(name);
      for (const name of [...this.#services.keys()]) if (!present.has(name)) this.#drop(name);
    }
    return this.#changed(changed);
  }

  #open(name: string): ServiceWatch {
    const { client, clock, random } = this.#options;
    const watch = new ServiceWatch({
      ...{ client, clock, random, name },
      onChange: () => this.#changed(true),
      onSettled: () => this.#settled(),
    });
    this.#services.set(name, watch);
    if (this.#listeners.length > 0 && !this.#closed) watch.start();
    return watch;
  }

  #drop(name: string): void {
    this.#services.get(name)?.close();
    this.#services.delete(name);
    this.#changed(true);
  }

  #dropIdle(): void {
    if (this.#all) return;
    const now = this.#options.clock.now();
    for (const [name, { usedAt }] of [...this.#services]) if (now - usedAt > IDLE_MS) this.#drop(name);
  }

  /** Connections that were held through a time without answers may be dead on the other side. */
  #renew(): void {
    for (const watch of [this.#catalogWatch, this.#policyWatch, ...this.#services.values()]) watch.renew();
  }

  #changed(changed: boolean): boolean {
    if (!changed || this.#closed) return changed;
    this.#batch ??= this.#options.clock.after(BATCH_MS, () => {
      this.#batch = undefined;
      this.#show();
    });
    return changed;
  }

  /** After every answer and failure: the first view may be due, and the status may be another. */
  #settled(): void {
    if (this.#closed) return;
    if (this.#view === undefined) this.#show();
    if (this.#view !== undefined) this.#setStatus(this.#trouble());
    else {
      const failure = this.#failures()[0];
      if (failure !== undefined) this.#setStatus({ state: "stale", reason: failure });
    }
  }

  #trouble(): Pick<SourceStatus, "state" | "reason" | "lagMs"> {
    const [reason] = this.#failures();
    const lagMs = this.#heartbeat.lagMs;
    const lag = lagMs === undefined || lagMs === 0 ? {} : { lagMs };
    if (reason !== undefined) return { state: "stale", reason, ...lag };
    if (lagMs === undefined || lagMs <= MOST_LAG_MS) return { state: "fresh", ...lag };
    const behind = `the Consul server that answers has not heard of a leader for ${Math.round(lagMs / 1_000)} s`;
    return { state: "stale", reason: behind, lagMs };
  }

  #failures(): string[] {
    const watches = [this.#heartbeat, this.#policyWatch, this.#catalogWatch, ...this.#services.values()];
    return watches.flatMap(({ failure }) => failure?.message ?? []);
  }

  #setStatus({ state, reason, lagMs }: Pick<SourceStatus, "state" | "reason" | "lagMs">): void {
    const before = this.#status;
    const since = before.state === state ? before.since : this.#options.clock.now();
    if (before.state === state && before.reason === reason && before.lagMs === lagMs) return;
    this.#status = { state, since, ...(reason !== undefined && { reason }), ...(lagMs !== undefined && { lagMs }) };
  }

  #show(): void {
    if (this.#closed || !this.#catalogWatch.answered || !this.#policyWatch.answered) return;
    const watches = [...this.#services.values()];
    if (this.#view === undefined && this.#patient && watches.some(({ answered }) => !answered)) {
      this.#patience ??= this.#options.clock.after(FIRST_PATIENCE_MS, () => {
        this.#patient = false;
        this.#show();
      });
      return;
    }
    this.#patience?.cancel();
    this.#batch?.cancel();
    this.#batch = undefined;
    this.#documents ??= uniqueDocuments(this.#policy.documents);
    const workloads = watches.flatMap((watch) => watch.workloads);
    this.#view = {
      documents: this.#documents.documents,
      leases: watches.flatMap(({ leases }) => leases).sort((a, b) => (a.name < b.name ? -1 : 1)),
      ...(workloads.length > 0 && { workloads }),
      ...(!this.#all && { services: this.#names.list((name) => this.#services.get(name)?.answered === true) }),
      problems: [...this.#policy.problems, ...this.#documents.problems],
    };
    this.#setStatus(this.#trouble());
    for (const listener of [...this.#listeners]) listener(this.#view);
  }
}

function keyPath(key: string): string {
  return `/kv/${key.split("/").map(encodeURIComponent).join("/")}`;
}
