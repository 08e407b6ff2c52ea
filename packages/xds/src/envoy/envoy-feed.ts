/**
 * Policy of a control plane that speaks to Envoy or to gRPC, as the snapshots of a process: asks for what is in use, and brings
 * in new rules once the clusters that they lead to can be called (make before break, xDS protocol).
 *
 * `envoy`: listeners and clusters all, tables of routes all while they are few, endpoints of clusters in use. `grpc`: listeners
 * all, everything else of hosts in use.
 */

import type { Clock, PipelineStatus, SnapshotStore } from "@inmesh/core";
import { type ListeningAddress, type PolicyFeed, setImmediate } from "@inmesh/core/internal";
import type { ClientContext, ServiceRef } from "@inmesh/model";
import type { KeptResources } from "../client/kept-resources.js";
import type { ResourceStatus, XdsClient } from "../client/watch.js";
import { Demand } from "./demand.js";
import { OwnListeners, type ServerListeners } from "./own-listeners.js";
import { refusals, takenBack } from "./problems.js";
import type { EnvoyResources } from "./resources.js";
import { SnapshotMaker } from "./snapshot-maker.js";
import { Told } from "./told.js";
import { LISTENER } from "./urls.js";

export interface EnvoyFeedOptions {
  readonly client: XdsClient;
  /** Whose rules the resources are meant by. */
  readonly profile: "envoy" | "grpc";
  readonly store: SnapshotStore;
  /** Whose view: shown, and what is written about this process's own servers. */
  readonly context: ClientContext;
  readonly clock: Clock;
  /** Of the mesh. @default "cluster.local" */
  readonly trustDomain?: string;
  /**
   * Profile `grpc`: listeners for the process's own ports. What none speaks about is denied; `open`: this control plane has no
   * say about servers. @default none is asked for, so all is denied
   */
  readonly servers?: ServerListeners | "open" | undefined;
  /** See `XdsTarget`. @default false */
  readonly acceptsUnnamed?: boolean;
  /** Stands in for a control plane that is away at the start; closed with the feed. Its clients are those of here. */
  readonly kept?: Pick<KeptResources, "standsInSince" | "close"> | undefined;
}

/** Between two looks at what nobody uses any more, in ms. */
const LOOK_MS = 60_000;
/** New rules wait no longer for what they lead to, in ms: as long as a resource that never comes (gRFC A57). */
const WARMING_MS = 15_000;
export function createEnvoyFeed(options: EnvoyFeedOptions): PolicyFeed {
  return new EnvoyFeed(options);
}

class EnvoyFeed implements PolicyFeed {
  readonly #options: EnvoyFeedOptions;
  readonly #demand: Demand;
  readonly #maker: SnapshotMaker;
  readonly #timers = new Set<{ cancel(): void }>();
  #told: Told | undefined;
  /** Undefined: nothing is asked for. */
  readonly #own: OwnListeners | undefined;
  #inForce: Pick<EnvoyResources, "listeners" | "routes" | "missingRoutes" | "ready"> | undefined;
  /** Of the snapshot in force. */
  #published: EnvoyResources | undefined;
  /** Since when new rules wait; undefined: none do. */
  #warmingSince: number | undefined;
  #scheduled = false;
  #closed = false;
  readonly #counts = { views: 0, publications: 0, compileFailures: 0, validated: 0 };
  readonly #times = { lastValidateMs: 0, lastCompileMs: 0, lastPublishMs: 0 };
  #publishedAt: number | undefined;
  #failure: string | undefined;

  constructor(options: EnvoyFeedOptions) {
    this.#options = options;
    const { profile, servers = "open", store, clock, context, trustDomain } = options;
    this.#demand = new Demand({ profile, store, clock, told: () => this.#told });
    this.#maker = new SnapshotMaker({ profile, store, context, trustDomain, whyClosed: () => this.#whyClosed() });
    if (profile === "grpc" && servers !== "open") this.#own = new OwnListeners(servers, () => this.#changed());
  }

  start(): void {
    const { client, profile, acceptsUnnamed, clock } = this.#options;
    this.#told = new Told({
      ...{ client, profile, acceptsUnnamed, clock, own: this.#own },
      changed: () => this.#changed(),
      left: () => this.#schedule(),
    });
    this.#timers.add(
      clock.every(LOOK_MS, () => {
        if (this.#demand.forgetIdle()) this.#schedule();
      }),
    );
  }

  use(wanted: ServiceRef): void {
    if (!this.#closed && this.#demand.use(wanted)) this.#schedule();
  }

  serve(listeners: readonly ListeningAddress[]): void {
    if (!this.#closed) this.#own?.serve(listeners);
  }

  get status(): PipelineStatus {
    const { client, store, kept } = this.#options;
    const { state, since, reason } = client.status;
    const savedAt = kept?.standsInSince;
    const snapshot = store.current;
    const refused = [...refusals(this.#resources()), ...takenBack(this.#own?.kept ?? [])];
    const notices = snapshot?.problems ?? [];
    const isDegraded = refused.length > 0 || this.#failure !== undefined;
    return {
      state: snapshot === undefined ? "starting" : isDegraded ? "degraded" : "ok",
      source: {
        state: savedAt !== undefined && state === "connecting" ? "stale" : state,
        since,
        ...(reason !== undefined && { reason }),
      },
      version: snapshot?.version ?? 0,
      revision: snapshot?.revision ?? "",
      fromState: savedAt !== undefined,
      stateSavedAt: savedAt,
      publishedAt: this.#publishedAt,
      services: { known: this.#told?.clusters.values.size ?? 0, loaded: this.#told?.endpoints.values.size ?? 0 },
      ...this.#counts,
      ...this.#times,
      refused,
      problems: [...refused.flatMap(({ problems }) => problems), ...notices],
    };
  }

  /** Of all streams, those with which not all is well. */
  #resources(): readonly ResourceStatus[] {
    return [...this.#options.client.status.resources, ...(this.#own?.resources ?? [])];
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers) timer.cancel();
    this.#told?.close();
    await Promise.all([this.#options.client.close(), this.#own?.close()]);
    await this.#options.kept?.close();
  }

  #changed(): void {
    this.#counts.views += 1;
    this.#schedule();
  }

  /** What arrives in one turn is brought in once, and in the next: a thousand resources are a long turn to take over already. */
  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#closed || this.#told === undefined) return;
      try {
        this.#advance(this.#told);
        this.#failure = undefined;
      } catch (error) {
        // A fault of ours: what is in force stays.
        this.#counts.compileFailures += 1;
        this.#failure = error instanceof Error ? (error.stack ?? error.message) : String(error);
      }
    });
  }

  #advance(told: Told): void {
    const { store, clock } = this.#options;
    if (!told.isWhole) return;
    const started = clock.now();
    const { routes } = told;
    const routing = { listeners: told.allListeners, routes: routes.values, missingRoutes: routes.missing };
    // Everything that was told, as if it were in force already.
    const all = { ...routing, clusters: told.clusters.values, endpoints: told.endpoints.values };
    const { isComplete, ready } = this.#demand.ask(told, this.#maker.make(all, 0), this.#inForce?.ready);
    const waitedMs = isComplete ? 0 : started - (this.#warmingSince ?? started);
    if (isComplete || waitedMs >= WARMING_MS) {
      this.#warmingSince = undefined;
      this.#inForce = { ...routing, ...(ready && { ready }) };
    } else if (this.#warmingSince === undefined) {
      this.#warmingSince = started;
      const timer = clock.after(WARMING_MS, () => {
        this.#timers.delete(timer);
        this.#schedule();
      });
      this.#timers.add(timer);
    }
    if (this.#inForce === undefined) return;
    const resources = { ...this.#inForce, clusters: told.clusters.values, endpoints: told.endpoints.values };
    if (this.#published !== undefined && isSame(this.#published, resources)) return;
    const snapshot = this.#maker.make(resources, store.nextVersion);
    this.#published = resources;
    this.#times.lastCompileMs = clock.now() - started;
    store.publish(snapshot);
    this.#counts.publications += 1;
    this.#publishedAt = clock.now();
  }

  /** Why requests to this process are denied where no listener speaks; empty: they are not. */
  #whyClosed(): string {
    const { profile, servers } = this.#options;
    const lost = this.#resources().find(
      ({ url, name, state, bytes }) =>
        url === LISTENER &&
        state === "NACKED" &&
        bytes === undefined &&
        (this.#own?.names.has(name) || /inbound/i.test(name)),
    );
    if (lost !== undefined)
      return `the listener ${lost.name} is refused, and nothing stands in for it: ${lost.error ?? ""}`;
    if (profile === "envoy" || servers === "open") return "";
    return "the control plane has sent no listener for this port, and profile grpc leaves out policy without a word: use profile api or envoy";
  }
}

function isSame(a: EnvoyResources, b: EnvoyResources): boolean {
  return (["listeners", "routes", "missingRoutes", "ready", "clusters", "endpoints"] as const).every(
    (each) => a[each] === b[each],
  );
}
