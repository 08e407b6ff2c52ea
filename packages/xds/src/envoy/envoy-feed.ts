/**
 * Policy of a control plane that speaks to Envoy or to gRPC, as the snapshots of a process: asks for what is in use, and brings
 * in new rules once the clusters that they lead to can be called (make before break, xDS protocol).
 *
 * `envoy`: listeners and clusters all, tables of routes all while they are few, endpoints of clusters in use. `grpc`: listeners
 * all, everything else of hosts in use.
 */

import type { Clock, PipelineStatus, SnapshotStore } from "@inmesh/core";
import { type ListeningAddress, type PolicyFeed, sameItems } from "@inmesh/core/internal";
import type { ClientContext, ServiceRef, TelemetryPolicy } from "@inmesh/model";
import type { ClusterAssignment } from "../client/endpoint/assignment.js";
import { createEndpointType } from "../client/endpoint/endpoint-type.js";
import type { KeptResources } from "../client/kept-resources.js";
import type { ResourceStatus, XdsClient } from "../client/watch.js";
import { clusterType, type DiscoveredCluster } from "./cluster.js";
import { CLUSTER_IN_USE, EnvoySnapshot, envoySnapshot } from "./envoy-snapshot.js";
import { type DiscoveredListener, listenerType } from "./listener.js";
import { OwnListeners, type ServerListeners } from "./own-listeners.js";
import { refusals, takenBack } from "./problems.js";
import type { EnvoyResources } from "./resources.js";
import { type RouteConfiguration, routeConfigurationType } from "./route-configuration.js";
import { HOST_IN_USE } from "./route-table.js";
import { type ServerWords, serverWords } from "./server-security.js";
import { telemetryPolicy } from "./telemetry.js";
import { LISTENER } from "./urls.js";
import { clustersOf, InUse, withChildren } from "./wants.js";
import { Watched } from "./watched.js";

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

/** Tables of routes that are asked for before anybody calls: istiod has one for each port. */
const MOST_TABLES = 64;
/** Between two looks at what nobody uses any more, in ms. */
const LOOK_MS = 60_000;
/** New rules wait no longer for what they lead to, in ms: as long as a resource that never comes (gRFC A57). */
const WARMING_MS = 15_000;
/** A cluster that is gone stays for the rules that still lead to it: those without it are told a moment later. In ms. */
const LEAVING_MS = 10_000;

export function createEnvoyFeed(options: EnvoyFeedOptions): PolicyFeed {
  return new EnvoyFeed(options);
}

class EnvoyFeed implements PolicyFeed {
  readonly #options: EnvoyFeedOptions;
  readonly #clusters: InUse = new InUse();
  /** `host:port`, whose rules calls have asked for. */
  readonly #hosts = new InUse();
  /** `host:port` of calls. */
  readonly #lookedUp = new InUse();
  readonly #timers = new Set<{ cancel(): void }>();
  #told: Told | undefined;
  /** Undefined: nothing is asked for. */
  readonly #own: OwnListeners | undefined;
  #inForce: Pick<EnvoyResources, "listeners" | "routes" | "missingRoutes" | "ready"> | undefined;
  #words:
    | { readonly inbound: readonly DiscoveredListener[]; readonly refusal: string; readonly words: ServerWords }
    | undefined;
  #telemetry: { readonly listeners: Listeners; readonly policy: TelemetryPolicy } | undefined;
  #joined: { readonly of: readonly [Listeners, Listeners]; readonly all: Listeners } | undefined;
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
    const { profile, servers = "open" } = options;
    if (profile === "grpc" && servers !== "open") this.#own = new OwnListeners(servers, () => this.#changed());
  }

  start(): void {
    const { clock } = this.#options;
    this.#told = this.#watch();
    this.#timers.add(
      clock.every(LOOK_MS, () => {
        const now = clock.now();
        const forgotten = this.#clusters.forgetIdle(now);
        this.#keepHosts(now);
        this.#lookedUp.forgetIdle(now);
        if (this.#hosts.forgetIdle(now) || forgotten) this.#schedule();
      }),
    );
  }

  use({ namespace, service }: ServiceRef): void {
    if (this.#closed) return;
    const now = this.#options.clock.now();
    if (namespace === HOST_IN_USE) {
      if (this.#hosts.note(service, now)) this.#schedule();
      return;
    }
    let isNew = false;
    for (const name of namespace === CLUSTER_IN_USE ? [service] : this.#clustersOfHost(service)) {
      isNew = this.#clusters.note(name, now) || isNew;
    }
    if (isNew) this.#schedule();
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
    for (const watched of Object.values(this.#told ?? {})) watched.close();
    await Promise.all([this.#options.client.close(), this.#own?.close()]);
    await this.#options.kept?.close();
  }

  #changed(): void {
    this.#counts.views += 1;
    this.#schedule();
  }

  #watch(): Told {
    const { client, profile, acceptsUnnamed } = this.#options;
    const changed = (): void => this.#changed();
    const clusters: Watched<DiscoveredCluster> = new Watched(
      client,
      clusterType(profile, acceptsUnnamed),
      profile === "envoy" ? "*" : [],
      { removed: (name) => this.#leaving(clusters, name), changed },
    );
    const routes: Watched<RouteConfiguration> = new Watched(client, routeConfigurationType(profile), [], {
      removed: (name) => routes.values.get(name), // what is in use stays usable (gRFC A88)
      changed,
    });
    return {
      clusters,
      routes,
      listeners: new Watched(client, listenerType(profile), "*", { removed: () => undefined, changed }),
      endpoints: new Watched(client, createEndpointType(profile), [], { removed: nobody, changed }),
    };
  }

  /** Rules without it come right after it: calls that still find the old ones must not fail for that. */
  #leaving(clusters: Watched<DiscoveredCluster>, name: string): DiscoveredCluster | undefined {
    const kept = clusters.values.get(name);
    if (kept === undefined || this.#options.profile === "grpc") return kept; // A88
    const timer = this.#options.clock.after(LEAVING_MS, () => {
      this.#timers.delete(timer);
      if (!clusters.missing.has(name) || clusters.values.get(name) !== kept) return; // it is back
      clusters.values = new Map([...clusters.values].filter(([each]) => each !== name));
      this.#schedule();
    });
    this.#timers.add(timer);
    return kept;
  }

  #clustersOfHost(host: string): readonly string[] {
    const found = [...(this.#told?.clusters.values.values() ?? [])].filter((cluster) => cluster.host === host);
    return found.map(({ name }) => name);
  }

  /** Calls to a host whose rules they know say only which of its clusters they use. */
  #keepHosts(now: number): void {
    const { routes } = this.#options.store.current ?? {};
    for (const name of this.#hosts.names()) {
      const found = routes?.lookup(...hostAndPort(name));
      if (found !== undefined && clustersOf(found).some((each) => this.#clusters.has(each)))
        this.#hosts.note(name, now);
    }
  }

  /** What arrives in one turn is brought in once. */
  #schedule(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    queueMicrotask(() => {
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
    const { profile, store, clock } = this.#options;
    if (!told.listeners.told || (profile === "envoy" && !told.clusters.told)) return;
    const started = clock.now();
    const next = this.#next(told);
    const isComplete = this.#ask(told, next);
    const waitedMs = isComplete ? 0 : started - (this.#warmingSince ?? started);
    if (isComplete || waitedMs >= WARMING_MS) {
      this.#warmingSince = undefined;
      this.#inForce = { ...next.routing, ...(next.ready && { ready: next.ready }) };
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
    const snapshot = this.#snapshot(resources, store.nextVersion);
    this.#published = resources;
    this.#times.lastCompileMs = clock.now() - started;
    store.publish(snapshot);
    this.#counts.publications += 1;
    this.#publishedAt = clock.now();
  }

  /** Everything that was told, as if it were in force already. */
  #next(told: Told): Next {
    const { routes } = told;
    const routing = { listeners: this.#allListeners(told), routes: routes.values, missingRoutes: routes.missing };
    const resources = { ...routing, clusters: told.clusters.values, endpoints: told.endpoints.values };
    return { routing, snapshot: this.#snapshot(resources, 0), ready: undefined };
  }

  #allListeners({ listeners }: Told): ReadonlyMap<string, DiscoveredListener> {
    const own = this.#own;
    if (own === undefined || own.values.size === 0) return listeners.values;
    const before = this.#joined;
    if (before?.of[0] !== listeners.values || before.of[1] !== own.values) {
      this.#joined = { of: [listeners.values, own.values], all: new Map([...listeners.values, ...own.values]) };
    }
    return this.#joined?.all ?? listeners.values;
  }

  #snapshot(resources: EnvoyResources, version: number): EnvoySnapshot {
    const { profile, context, store, trustDomain } = this.#options;
    const words = this.#serverWords(resources);
    const telemetry = this.#telemetryOf(resources);
    const input = {
      profile,
      resources,
      client: context,
      version,
      ...words,
      telemetry,
      ...(trustDomain && { trustDomain }),
    };
    return envoySnapshot(input, store.current);
  }

  /** The same object while the listeners are the same. */
  #telemetryOf({ listeners }: EnvoyResources): TelemetryPolicy {
    if (this.#telemetry?.listeners !== listeners) {
      const policy = telemetryPolicy(listeners.values());
      const before = this.#telemetry?.policy;
      const isSame = JSON.stringify(policy) === JSON.stringify(before);
      this.#telemetry = { listeners, policy: isSame && before !== undefined ? before : policy };
    }
    return this.#telemetry.policy;
  }

  /** About the process's own servers; the same object while the listeners for them are the same. */
  #serverWords({ listeners }: EnvoyResources): ServerWords {
    const inbound = [...listeners.values()].filter(({ kind }) => kind === "inbound");
    const refusal = this.#whyClosed();
    const before = this.#words;
    if (before?.refusal === refusal && sameItems(before.inbound, inbound)) return before.words;
    const words = serverWords(inbound, refusal, this.#options.trustDomain ?? "cluster.local");
    this.#words = { inbound, refusal, words };
    return words;
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

  /**
   * Asks for what is missing, and for no more than is used.
   * @returns whether the rules in `next` lead to nothing that is still waited for
   */
  #ask(told: Told, next: Next): boolean {
    const { profile, clock } = this.#options;
    const tables = this.#tables(told, next.snapshot);
    told.routes.want(tables);
    let isComplete = profile === "grpc" || [...tables].every((name) => told.routes.knows(name));
    const wanted = new Set<string>();
    const awaited = new Set<string>();
    for (const name of this.#clusters.names())
      for (const each of withChildren(name, told.clusters.values)) wanted.add(each);
    const ready = new Set<string>();
    for (const [host, clusters] of this.#hostsInUse(next.snapshot)) {
      const all = clusters.flatMap((name) => [...withChildren(name, told.clusters.values)]);
      for (const name of all) wanted.add(name);
      if (profile === "envoy") {
        for (const name of all) {
          awaited.add(name);
          this.#clusters.note(name, clock.now()); // calls will say so themselves, a moment later
        }
      } else if (all.every((name) => told.clusters.knows(name) && this.#canCall(told, name))) ready.add(host);
      // One that was served goes on being: its new clusters come in without it.
      else if (this.#inForce?.ready?.has(host)) awaited.add(all.find((name) => !this.#canCall(told, name)) ?? "");
    }
    if (profile === "grpc") {
      told.clusters.want(wanted);
      next.ready = this.#keptReady(ready);
    }
    const edsNames = [...wanted].flatMap((name) => {
      const cluster = told.clusters.values.get(name);
      return cluster?.kind === "eds" ? cluster.edsName : [];
    });
    told.endpoints.want(new Set(edsNames));
    for (const name of awaited) isComplete &&= this.#canCall(told, name);
    return isComplete;
  }

  /** Whether nothing about it is still to be told. */
  #canCall({ clusters, endpoints }: Told, name: string): boolean {
    const cluster = clusters.values.get(name);
    if (cluster === undefined) return clusters.missing.has(name) || this.#options.profile === "envoy";
    return cluster.kind !== "eds" || endpoints.knows(cluster.edsName);
  }

  #keptReady(ready: ReadonlySet<string>): ReadonlySet<string> {
    const before = this.#inForce?.ready;
    const isSame = before !== undefined && before.size === ready.size && [...ready].every((host) => before.has(host));
    return isSame ? before : ready;
  }

  #tables(told: Told, snapshot: EnvoySnapshot): ReadonlySet<string> {
    const names = new Set<string>();
    if (this.#options.profile === "envoy") {
      for (const { kind, http } of told.listeners.values.values()) {
        if (kind !== "inbound" && http?.routeName) names.add(http.routeName);
      }
      if (names.size <= MOST_TABLES) return names;
      names.clear();
    }
    for (const [host, port] of this.#hosts.names().map(hostAndPort)) {
      const name = snapshot.tableName(host, port);
      if (name !== undefined) names.add(name);
    }
    return names;
  }

  /** Hosts with the clusters that `next` leads to: of gRPC's all that calls asked for, of Envoy's those whose rules are others now. */
  #hostsInUse(next: EnvoySnapshot): readonly (readonly [host: string, clusters: readonly string[]])[] {
    const { profile, store, clock } = this.#options;
    if (profile === "grpc") {
      return this.#hosts.names().flatMap((name) => {
        const found = next.routes.lookup(...hostAndPort(name));
        return found === undefined || found.pending !== undefined ? [] : [[name, clustersOf(found)] as const];
      });
    }
    const current = store.current;
    if (!(current instanceof EnvoySnapshot)) return [];
    const now = clock.now();
    for (const { host, port } of current.spelled()) this.#lookedUp.note(`${host}:${port}`, now);
    return this.#lookedUp.names().flatMap((name) => {
      const virtualHost = current.routes.lookup(...hostAndPort(name));
      const found = next.routes.lookup(...hostAndPort(name));
      if (found === undefined || found === virtualHost || found.pending !== undefined) return [];
      if (!virtualHost || !clustersOf(virtualHost).some((each) => this.#clusters.has(each))) return [];
      return [[name, clustersOf(found)] as const];
    });
  }
}

type Listeners = ReadonlyMap<string, DiscoveredListener>;

interface Told {
  readonly listeners: Watched<DiscoveredListener>;
  readonly routes: Watched<RouteConfiguration>;
  readonly clusters: Watched<DiscoveredCluster>;
  readonly endpoints: Watched<ClusterAssignment>;
}

interface Next {
  readonly routing: Pick<EnvoyResources, "listeners" | "routes" | "missingRoutes">;
  readonly snapshot: EnvoySnapshot;
  /** Of gRPC's profile. */
  ready: ReadonlySet<string> | undefined;
}

function isSame(a: EnvoyResources, b: EnvoyResources): boolean {
  return (["listeners", "routes", "missingRoutes", "ready", "clusters", "endpoints"] as const).every(
    (each) => a[each] === b[each],
  );
}

/** A cluster whose endpoints are gone has none. */
function nobody(name: string): ClusterAssignment {
  return { name, localities: [], overprovisioningPercent: 140, drops: [], unusable: [] };
}

function hostAndPort(name: string): [host: string, port: number] {
  const colon = name.lastIndexOf(":");
  return [name.slice(0, colon), Number(name.slice(colon + 1))];
}
