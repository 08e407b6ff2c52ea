/** What a control plane has told of each type, as it is watched: the process's own listeners with the others. */

import type { Clock, Timer } from "@inmesh/core";
import type { ClusterAssignment } from "../client/endpoint/assignment.js";
import { createEndpointType } from "../client/endpoint/endpoint-type.js";
import type { XdsClient } from "../client/watch.js";
import { clusterType, type DiscoveredCluster } from "./cluster.js";
import { type DiscoveredListener, listenerType } from "./listener.js";
import type { OwnListeners } from "./own-listeners.js";
import { type RouteConfiguration, routeConfigurationType } from "./route-configuration.js";
import { Watched } from "./watched.js";

/** A cluster that is gone stays for the rules that still lead to it: those without it are told a moment later. In ms. */
const LEAVING_MS = 10_000;

export interface ToldOptions {
  readonly client: XdsClient;
  readonly profile: "envoy" | "grpc";
  readonly acceptsUnnamed: boolean | undefined;
  readonly clock: Clock;
  /** Undefined: none are asked for by name. */
  readonly own: OwnListeners | undefined;
  /** An answer changed something. */
  readonly changed: () => void;
  /** Something is no more that was kept for a while. */
  readonly left: () => void;
}

type Listeners = ReadonlyMap<string, DiscoveredListener>;

export class Told {
  readonly listeners: Watched<DiscoveredListener>;
  readonly routes: Watched<RouteConfiguration>;
  readonly clusters: Watched<DiscoveredCluster>;
  readonly endpoints: Watched<ClusterAssignment>;
  readonly #options: ToldOptions;
  readonly #timers = new Set<Timer>();
  #joined: { readonly of: readonly [Listeners, Listeners]; readonly all: Listeners } | undefined;

  constructor(options: ToldOptions) {
    this.#options = options;
    const { client, profile, acceptsUnnamed, changed } = options;
    this.clusters = new Watched(client, clusterType(profile, acceptsUnnamed), profile === "envoy" ? "*" : [], {
      removed: (name) => this.#leaving(name),
      changed,
    });
    this.routes = new Watched(client, routeConfigurationType(profile), [], {
      removed: (name) => this.routes.values.get(name), // what is in use stays usable (gRFC A88)
      changed,
    });
    this.listeners = new Watched(client, listenerType(profile), "*", { removed: () => undefined, changed });
    this.endpoints = new Watched(client, createEndpointType(profile), [], { removed: nobody, changed });
  }

  /** All that must be there before anything can be made of it is. */
  get isWhole(): boolean {
    return this.listeners.told && (this.#options.profile === "grpc" || this.clusters.told);
  }

  /** Those of the process's own ports among them. The same map while they are the same. */
  get allListeners(): Listeners {
    const { listeners } = this;
    const { own } = this.#options;
    if (own === undefined || own.values.size === 0) return listeners.values;
    const before = this.#joined;
    if (before?.of[0] !== listeners.values || before.of[1] !== own.values) {
      this.#joined = { of: [listeners.values, own.values], all: new Map([...listeners.values, ...own.values]) };
    }
    return this.#joined?.all ?? listeners.values;
  }

  /** Whether nothing about a cluster is still to be told. */
  canCall(name: string): boolean {
    const { clusters, endpoints } = this;
    const cluster = clusters.values.get(name);
    if (cluster === undefined) return clusters.missing.has(name) || this.#options.profile === "envoy";
    return cluster.kind !== "eds" || endpoints.knows(cluster.edsName);
  }

  close(): void {
    for (const timer of this.#timers) timer.cancel();
    for (const watched of [this.listeners, this.routes, this.clusters, this.endpoints]) watched.close();
  }

  /** Rules without it come right after it: calls that still find the old ones must not fail for that. */
  #leaving(name: string): DiscoveredCluster | undefined {
    const { clusters } = this;
    const kept = clusters.values.get(name);
    if (kept === undefined || this.#options.profile === "grpc") return kept; // A88
    const timer = this.#options.clock.after(LEAVING_MS, () => {
      this.#timers.delete(timer);
      if (!clusters.missing.has(name) || clusters.values.get(name) !== kept) return; // it is back
      clusters.values = new Map([...clusters.values].filter(([each]) => each !== name));
      this.#options.left();
    });
    this.#timers.add(timer);
    return kept;
  }
}

/** A cluster whose endpoints are gone has none. */
function nobody(name: string): ClusterAssignment {
  return { name, localities: [], overprovisioningPercent: 140, drops: [], unusable: [] };
}
