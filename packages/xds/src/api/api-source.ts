/**
 * istiod, or whoever else tells Istio's resources over an aggregated stream, as the registry: its documents are compiled by our
 * own model, so that no policy is lost, and the instances of services in use come by EDS.
 */

import type { Clock, RegistryView, ServiceRef, Source, SourceStatus, Timer } from "@inmesh/core";
import type { Document, Problem } from "@inmesh/model";
import { createEndpointType, type XdsClient } from "../client/index.js";
import { type ApiResource, apiResourceType } from "./api-resource.js";
import { InstanceWatch } from "./instance-watch.js";
import { API_KINDS, type ApiKind } from "./kinds.js";
import { toldServices } from "./told-service.js";

export interface ApiSourceOptions {
  /** Closed with the source. */
  readonly client: XdsClient;
  readonly clock: Clock;
  /** The process has a certificate: who may serve what it calls is asked for, too. @default false */
  readonly secured?: boolean;
}

/** One push tells every kind by itself: what changed together is taken together, this long after the last of it, in ms. */
const QUIET_MS = 15;
/** A server that never stops telling is not waited for, in ms. */
const LONGEST_MS = 200;
/** Rules that name endpoints nobody has told of yet come into force with them, or after this, in ms. */
const HOLD_MS = 2_000;
/** A kind that a server never answers for has no resources there, in ms after the first one that it did answer for. */
const PATIENCE_MS = 15_000;

interface Kind {
  readonly kind: ApiKind;
  readonly resources: Map<string, ApiResource>;
  answered: boolean;
}

export class ApiSource implements Source {
  readonly #options: ApiSourceOptions;
  readonly #kinds: readonly Kind[];
  readonly #instances: InstanceWatch;
  readonly #listeners: ((view: RegistryView) => void)[] = [];
  #view: RegistryView | undefined;
  #documents: readonly Document[] = [];
  #problems: readonly Problem[] = [];
  /** Until the turn of the view that is due. */
  #due: { readonly since: number; timer: Timer } | undefined;
  #patience: Timer | undefined;
  #changed = false;

  constructor(options: ApiSourceOptions) {
    const { client, clock, secured = false } = options;
    this.#options = options;
    this.#kinds = API_KINDS.map((kind) => ({ kind, resources: new Map(), answered: false }));
    this.#instances = new InstanceWatch({
      client,
      assignments: createEndpointType("envoy"),
      ...{ clock, secured },
      onChange: () => this.#schedule(),
    });
  }

  get status(): SourceStatus {
    const { state, since, reason } = this.#options.client.status;
    if (this.#view === undefined && state === "fresh") return { state: "connecting", since };
    return { state, since, ...(reason !== undefined && { reason }) };
  }

  watch(listener: (view: RegistryView) => void): void {
    this.#listeners.push(listener);
    if (this.#listeners.length > 1) {
      if (this.#view !== undefined) listener(this.#view);
      return;
    }
    for (const one of this.#kinds) {
      this.#options.client.watch(apiResourceType(one.kind), {
        names: "*",
        onChanges: ({ changed, removed }) => {
          for (const [name, resource] of changed)
            one.resources.set(name, withLastGood(resource, one.resources.get(name)));
          for (const name of removed) one.resources.delete(name);
          one.answered = true;
          this.#changed = true;
          this.#patience ??= this.#options.clock.after(PATIENCE_MS, () => this.#giveUp());
          this.#schedule();
        },
      });
    }
  }

  use(service: ServiceRef): void {
    this.#instances.use(service);
  }

  async close(): Promise<void> {
    this.#listeners.length = 0;
    this.#due?.timer.cancel();
    this.#patience?.cancel();
    this.#instances.close();
    await this.#options.client.close();
  }

  #giveUp(): void {
    for (const one of this.#kinds) one.answered = true;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#kinds.some(({ answered }) => !answered)) return;
    this.#patience?.cancel();
    const { clock } = this.#options;
    const since = this.#due?.since ?? clock.now();
    this.#due?.timer.cancel();
    const inMs = Math.max(0, Math.min(QUIET_MS, since + LONGEST_MS - clock.now()));
    this.#due = { since, timer: clock.after(inMs, () => this.#settle(since)) };
  }

  /** @param since clock ms of the first change that is not shown yet */
  #settle(since: number): void {
    const { clock } = this.#options;
    if (this.#changed) this.#read();
    this.#changed = false;
    const holdMs = since + HOLD_MS - clock.now();
    // Whoever waits for the answer is told with it; the wait begins with the change.
    if (this.#instances.unanswered && holdMs > 0) {
      this.#due = { since, timer: clock.after(holdMs, () => this.#show()) };
      return;
    }
    this.#show();
  }

  #read(): void {
    const resources = this.#kinds.flatMap(({ resources: of }) => [...of.values()]);
    const byKey = new Map<string, Document>();
    for (const document of resources.flatMap(({ documents }) => documents)) byKey.set(document.key, document);
    this.#documents = [...byKey.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    this.#problems = resources.flatMap(({ problems }) => problems);
    this.#instances.follow(toldServices(this.#documents));
  }

  #show(): void {
    this.#due = undefined;
    this.#view = {
      ...{ documents: this.#documents, problems: this.#problems, leases: NO_LEASES },
      ...this.#instances.show(),
    };
    for (const listener of [...this.#listeners]) listener(this.#view);
  }
}

/** One that cannot be read keeps the documents that it had when it could. */
function withLastGood(resource: ApiResource, before: ApiResource | undefined): ApiResource {
  if (resource.documents.length > 0 || before === undefined) return resource;
  return { ...resource, documents: before.documents };
}

/** Processes are registered elsewhere. */
const NO_LEASES: RegistryView["leases"] = [];
