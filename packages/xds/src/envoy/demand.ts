/** What is asked for, and no more than is used: hosts and clusters of calls, and what the rules in hand would have them use. */

import type { Clock, SnapshotStore } from "@inmesh/core";
import type { ServiceRef } from "@inmesh/model";
import { CLUSTER_IN_USE, EnvoySnapshot } from "./envoy-snapshot.js";
import { HOST_IN_USE } from "./route-table.js";
import type { Told } from "./told.js";
import { clustersOf, InUse, withChildren } from "./wants.js";

/** Tables of routes that are asked for before anybody calls: istiod has one for each port. */
const MOST_TABLES = 64;

export interface DemandOptions {
  readonly profile: "envoy" | "grpc";
  readonly store: SnapshotStore;
  readonly clock: Clock;
  /** Undefined before anything is watched. */
  readonly told: () => Told | undefined;
}

/** What comes of asking. */
export interface Asked {
  /** The rules lead to nothing that is still waited for. */
  readonly isComplete: boolean;
  /** Of gRPC's profile: hosts whose clusters are all told. */
  readonly ready: ReadonlySet<string> | undefined;
}

export class Demand {
  readonly #options: DemandOptions;
  readonly #clusters = new InUse();
  /** `host:port`, whose rules calls have asked for. */
  readonly #hosts = new InUse();
  /** `host:port` of calls. */
  readonly #lookedUp = new InUse();

  constructor(options: DemandOptions) {
    this.#options = options;
  }

  /** A call is about to need it. @returns whether it was in no use before */
  use({ namespace, service }: ServiceRef): boolean {
    const now = this.#options.clock.now();
    if (namespace === HOST_IN_USE) return this.#hosts.note(service, now);
    let isNew = false;
    for (const name of namespace === CLUSTER_IN_USE ? [service] : this.#clustersOfHost(service)) {
      isNew = this.#clusters.note(name, now) || isNew;
    }
    return isNew;
  }

  /** @returns whether anything is used no more */
  forgetIdle(): boolean {
    const now = this.#options.clock.now();
    const forgotten = this.#clusters.forgetIdle(now);
    this.#keepHosts(now);
    this.#lookedUp.forgetIdle(now);
    return this.#hosts.forgetIdle(now) || forgotten;
  }

  /**
   * Asks for what is missing.
   * @param next everything that was told, as if it were in force already
   * @param readyBefore `ready` of what is in force
   */
  ask(told: Told, next: EnvoySnapshot, readyBefore: ReadonlySet<string> | undefined): Asked {
    const { profile, clock } = this.#options;
    const tables = this.#tables(told, next);
    told.routes.want(tables);
    let isComplete = profile === "grpc" || [...tables].every((name) => told.routes.knows(name));
    const wanted = new Set<string>();
    const awaited = new Set<string>();
    for (const name of this.#clusters.names())
      for (const each of withChildren(name, told.clusters.values)) wanted.add(each);
    const ready = new Set<string>();
    for (const [host, clusters] of this.#hostsInUse(next)) {
      const all = clusters.flatMap((name) => [...withChildren(name, told.clusters.values)]);
      for (const name of all) wanted.add(name);
      if (profile === "envoy") {
        for (const name of all) {
          awaited.add(name);
          this.#clusters.note(name, clock.now()); // calls will say so themselves, a moment later
        }
      } else if (all.every((name) => told.clusters.knows(name) && told.canCall(name))) ready.add(host);
      // One that was served goes on being: its new clusters come in without it.
      else if (readyBefore?.has(host)) awaited.add(all.find((name) => !told.canCall(name)) ?? "");
    }
    if (profile === "grpc") told.clusters.want(wanted);
    const edsNames = [...wanted].flatMap((name) => {
      const cluster = told.clusters.values.get(name);
      return cluster?.kind === "eds" ? cluster.edsName : [];
    });
    told.endpoints.want(new Set(edsNames));
    for (const name of awaited) isComplete &&= told.canCall(name);
    return { isComplete, ready: profile === "grpc" ? kept(readyBefore, ready) : undefined };
  }

  #clustersOfHost(host: string): readonly string[] {
    const found = [...(this.#options.told()?.clusters.values.values() ?? [])].filter(
      (cluster) => cluster.host === host,
    );
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

/** The same set while it says the same. */
function kept(before: ReadonlySet<string> | undefined, ready: ReadonlySet<string>): ReadonlySet<string> {
  const isSame = before !== undefined && before.size === ready.size && [...ready].every((host) => before.has(host));
  return isSame ? before : ready;
}

function hostAndPort(name: string): [host: string, port: number] {
  const colon = name.lastIndexOf(":");
  return [name.slice(0, colon), Number(name.slice(colon + 1))];
}
