/**
 * What Consul says, as the mesh reads it: the names of all services by one watch, the instances of each service in use by
 * one each, and policy. Every view is whole, and holds the same objects as the one before for all that is the same.
 */

import type { Clock, Random, RegistryView, ServiceRef, Source, SourceStatus, Timer } from "@inmesh/core";
import type { ParseDocuments } from "@inmesh/core/internal";
import { registryProblem } from "@inmesh/core/internal";
import type { Problem } from "@inmesh/model";
import type { ConsulClient } from "../client/consul-client.js";
import { keyPath, policyPrefix } from "../keys.js";
import { consulName, serviceKey } from "../service-name.js";
import { BlockingQuery } from "../watch/blocking-query.js";
import { Poll } from "../watch/poll.js";
import type { Watch } from "../watch/watch.js";
import { mayRead } from "./access.js";
import { InstanceWatches } from "./instance-watches.js";
import { PolicySource } from "./policy-source.js";
import { sameView } from "./same-view.js";
import { catalogNames, ServiceNames } from "./service-names.js";

export interface ConsulSourceOptions {
  readonly client: ConsulClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly parse: ParseDocuments;
  /** Whose instances are told: those of services that `use` named, or everybody's. @default "used" */
  readonly scope?: "used" | "all";
  /** The process's own service: policy for one service alone is told of it and of those in use. @default of all services */
  readonly own?: ServiceRef;
}

/** What comes within this many ms is one view. */
const BATCH_MS = 10;
/**
 * The same where instances vanished: an agent that lost its memory takes out all that it had one after the other, and
 * only when that is one view can it be told from processes that leave without a farewell, as others' do. While more of them vanish it waits for more.
 */
const LOSS_BATCH_MS = 100;
const MORE_LOSS_MS = 400;
const MOST_LOSS_MS = 1_500;
/** How long the first view waits for the instances of services that are in use already, in ms, once all else is there. */
const FIRST_PATIENCE_MS = 3_000;
const IDLE_LOOK_MS = 60_000;
/** A server that has not heard of a leader for longer is behind, in ms; elections take less. */
const MOST_LAG_MS = 10_000;

export class ConsulSource implements Source {
  readonly #options: ConsulSourceOptions;
  readonly #all: boolean;
  readonly #names: ServiceNames;
  readonly #instances: InstanceWatches;
  readonly #policy: PolicySource;
  readonly #catalog: Watch;
  readonly #heartbeat: Watch;
  readonly #listeners: ((view: RegistryView) => void)[] = [];
  #view: RegistryView | undefined;
  #status: SourceStatus;
  #batch: Timer | undefined;
  /** Clock ms of the first loss that the batch holds. */
  #losingSince: number | undefined;
  #patience: Timer | undefined;
  #patient = true;
  #idleLook: Timer | undefined;
  #nameless: Problem | undefined;
  /** How many watches had no answer when one was last heard of. */
  #failing = 0;
  #closed = false;

  constructor(options: ConsulSourceOptions) {
    const { client, clock, random, parse, scope = "used", own } = options;
    const { target, shown } = client;
    const asking = { client, clock, random, onSettled: () => this.#settled() };
    const onChange = (fewer?: boolean): void => this.#showSoon(fewer);
    this.#options = options;
    this.#all = scope === "all";
    this.#names = new ServiceNames(target.namespace);
    this.#status = { state: "connecting", since: clock.now() };
    this.#instances = new InstanceWatches({ ...asking, onChange });
    const services = (): readonly string[] => this.#names.names;
    this.#policy = new PolicySource({ ...asking, onChange, parse, services, ...(own && { own }) });
    this.#catalog = new BlockingQuery({
      ...asking,
      path: "/catalog/services",
      onAnswer: ({ body }) => {
        const names = catalogNames(body, shown);
        return this.#takeNames([...names, ...(target.queries ?? [])], names.length === 0);
      },
    });
    // It reads below the policy's prefix: a refusal also tells policy that is hidden from policy that there is none of.
    this.#heartbeat = new Poll({
      ...asking,
      path: keyPath(policyPrefix(target)),
      onAnswer: () => false,
      onReturn: (since) => this.#renew(since),
    });
  }

  get status(): SourceStatus {
    const { needed: policyOf } = this.#policy;
    return policyOf === undefined ? this.#status : { ...this.#status, policyOf };
  }

  watch(listener: (view: RegistryView) => void): void {
    this.#listeners.push(listener);
    if (this.#listeners.length > 1) {
      if (this.#view !== undefined) listener(this.#view);
      return;
    }
    if (!this.#all) this.#idleLook = this.#options.clock.every(IDLE_LOOK_MS, () => this.#dropIdle());
    this.#instances.start();
    this.#policy.start();
    for (const watch of this.#watches) watch.start();
  }

  use(service: ServiceRef): void {
    if (this.#all || this.#closed) return;
    if (this.#instances.use(consulName(service, this.#options.client.target.namespace))) this.#usePolicy();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#listeners.length = 0;
    for (const timer of [this.#batch, this.#patience, this.#idleLook]) timer?.cancel();
    for (const watch of this.#watches) watch.close();
  }

  /** Those that matter most first: the first one's failure is what the status says. */
  get #watches(): readonly Watch[] {
    return [this.#heartbeat, ...this.#policy.watches, this.#catalog, ...this.#instances.watches];
  }

  #dropIdle(): void {
    if (this.#instances.dropIdle()) this.#usePolicy();
  }

  #usePolicy(): void {
    const services = [...this.#instances.used].flatMap((name) => this.#names.refOf(name) ?? []);
    this.#policy.use(new Set(services.map(serviceKey)));
  }

  /** @param nameless Consul names nothing, not even itself */
  async #takeNames(names: readonly string[], nameless: boolean): Promise<boolean> {
    const vanished = this.#names.vanished(names);
    await mayRead(
      this.#options,
      vanished.map((segment) => ({ resource: "service", segment })),
    );
    const said = nameless === (this.#nameless !== undefined);
    if (this.#closed || (!this.#names.update(names) && said)) return false;
    if (!said) this.#nameless = nameless ? namesNothing(this.#options.client.shown) : undefined;
    if (this.#all) this.#instances.only(this.#names.names);
    this.#showSoon();
    return true;
  }

  /** Connections that were held through a time without answers may be dead on the other side. */
  #renew(since: number): void {
    for (const watch of this.#watches) watch.renew(since);
  }

  #showSoon(fewer = false): void {
    if (this.#closed) return;
    if (!fewer) {
      if (this.#batch === undefined) this.#showIn(BATCH_MS);
      return;
    }
    const now = this.#options.clock.now();
    const first = this.#losingSince === undefined;
    this.#losingSince ??= now;
    this.#showIn(first ? LOSS_BATCH_MS : Math.min(MORE_LOSS_MS, Math.max(0, this.#losingSince + MOST_LOSS_MS - now)));
  }

  #showIn(ms: number): void {
    this.#batch?.cancel();
    this.#batch = this.#options.clock.after(ms, () => {
      this.#batch = undefined;
      this.#losingSince = undefined;
      this.#show();
    });
  }

  /** After every answer and failure: the first view may be due, and the status may be another. */
  #settled(): void {
    if (this.#closed) return;
    const failing = this.#watches.filter(({ failure }) => failure !== undefined);
    if (failing.length < this.#failing) for (const watch of failing) watch.renew(0); // one has an answer again
    this.#failing = failing.length;
    if (this.#view === undefined) this.#show();
    const found = this.#found();
    if (this.#view !== undefined || found.state === "stale") this.#setStatus(found);
  }

  #found(): Omit<SourceStatus, "since"> {
    const failure = this.#watches.find((watch) => watch.failure !== undefined)?.failure;
    const { lagMs = 0 } = this.#heartbeat;
    const lag = lagMs > 0 ? { lagMs } : {};
    if (failure !== undefined) return { state: "stale", reason: failure.message, ...lag };
    if (lagMs <= MOST_LAG_MS) return { state: "fresh", ...lag };
    const behind = `the Consul server that answers has not heard of a leader for ${Math.round(lagMs / 1_000)} s`;
    return { state: "stale", reason: behind, ...lag };
  }

  #setStatus(found: Omit<SourceStatus, "since">): void {
    const since = this.#status.state === found.state ? this.#status.since : this.#options.clock.now();
    this.#status = { ...found, since };
  }

  #show(): void {
    if (this.#closed || !this.#ready()) return;
    for (const timer of [this.#patience, this.#batch]) timer?.cancel();
    this.#batch = undefined;
    const { documents, problems, standing } = this.#policy.policy;
    this.#instances.follow(standing);
    // Nobody is called by half of the rules, by whatever way a call gets there.
    const { leases, workloads } = this.#instances.shown((name) => this.#rulesOf(name) !== false);
    const view: RegistryView = {
      documents,
      problems: this.#nameless === undefined ? problems : [...problems, this.#nameless],
      leases: leases.sort((a, b) => (a.name < b.name ? -1 : 1)),
      ...(workloads.length > 0 && { workloads }),
      ...(!this.#all && {
        services: this.#names.list(
          (name) => this.#instances.isTold(name),
          (name) => this.#rulesOf(name),
          this.#policy.named,
        ),
      }),
    };
    if (this.#view !== undefined && sameView(this.#view, view)) return;
    this.#view = view;
    this.#setStatus(this.#found());
    for (const listener of [...this.#listeners]) listener(view);
  }

  /** Whether the policy for a service alone is told; undefined where it does not depend on use. @param name as Consul has it */
  #rulesOf(name: string): boolean | undefined {
    const service = this.#options.own && this.#names.refOf(name);
    return service && this.#policy.rulesOf(serviceKey(service));
  }

  /** The first view waits for names and policy, and a while for the instances of what is in use already. */
  #ready(): boolean {
    if (this.#view !== undefined) return true;
    if (this.#heartbeat.failure !== undefined) return false;
    this.#policy.follow();
    if (![this.#catalog, ...this.#policy.watches].every(({ answered }) => answered)) return false;
    if (!this.#patient || this.#instances.watches.every(({ answered }) => answered)) return true;
    this.#patience ??= this.#options.clock.after(FIRST_PATIENCE_MS, () => {
      this.#patient = false;
      this.#show();
    });
    return false;
  }
}

/** Its servers are a service that is always there, so that a token which sees nothing is one that may see nothing. */
function namesNothing(shown: string): Problem {
  const message = `${shown} names no service to this process, not even its own: the token may read none, so every service is an unknown host. Give it service:read and node:read.`;
  return registryProblem("IM0720", "warning", message);
}
