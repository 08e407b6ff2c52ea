/**
 * Connections to one endpoint over TLS. One that was verified for a server name serves requests to that name only, so
 * there is a pool for each; nearly always that is one, and in the mesh it is.
 */

import type { Call, Clock, Random } from "@inmesh/core";
import { isMeshTls, serverNameOf } from "@inmesh/core/internal";
import type { Cluster, Endpoint, TrafficPolicy } from "@inmesh/model";
import type { ClusterConnections } from "../cluster-connections.js";
import { inTurn } from "../endpoint-connector.js";
import { EndpointPool } from "../endpoint-pool.js";
import { Http2Pool } from "../http2/http2-pool.js";
import type { Pool } from "../pool.js";
import type { Undici } from "../undici-module.js";
import type { WireAttempt } from "../wire-attempt.js";
import { Dialer } from "./dial.js";
import type { Handshakes } from "./handshakes.js";
import { type SecuredConnection, securedOf } from "./secured-socket.js";
import type { Trust, Trusts } from "./trust.js";

/** Names may come from users' input: the one that came first leaves (pitfalls B8). */
const MOST_NAMES = 256;

/** Verified connections to one endpoint. */
export interface Secured {
  /** Connections of one key were verified for the same name by the same policy, and may serve each other's requests. */
  readonly key: string;
  dial: Dialer["dial"];
  /** Whether a connection that was kept may serve another request. */
  holds(connection: SecuredConnection): boolean;
  /** What a new connection is told of this process, see `WORKLOAD_HEADER`; empty: nothing. */
  readonly workload: string;
}

interface NamedPool {
  readonly pool: Pool;
  readonly dialer: Dialer;
}

export interface TlsPoolsOptions {
  readonly onConnect: () => void;
  readonly undici: Undici;
  readonly clock: Clock;
  readonly random: Random;
  readonly connections: ClusterConnections;
  readonly trusts: Trusts;
  readonly handshakes: Handshakes;
  /** What members of the mesh are told of this process. */
  readonly workload: string;
}

export class TlsPools implements Pool {
  policy: TrafficPolicy;
  endpoint: Endpoint;
  uses = 0;
  usesSeen = -1;
  readonly #of: { readonly endpoint: Endpoint };
  readonly #options: TlsPoolsOptions;
  readonly #trust: Trust;
  /** By server name. */
  readonly #pools = new Map<string, NamedPool>();
  /** Of the mesh's own TLS, where the name is the cluster's: made once, not for each request. */
  #name: { readonly of: Cluster; readonly text: string } | undefined;
  /** Of the trust, when these pools were looked at. */
  #generation = 0;
  #left = false;
  /** Whoever is verified by another policy is verified anew. */
  readonly #policyKey: string;
  readonly #isMesh: boolean;

  constructor(of: { readonly endpoint: Endpoint }, policy: TrafficPolicy, options: TlsPoolsOptions) {
    this.#of = of;
    this.policy = policy;
    this.endpoint = of.endpoint;
    this.#options = options;
    this.#trust = options.trusts.use(policy.tls);
    this.#isMesh = isMeshTls(policy.tls);
    this.#policyKey = JSON.stringify(policy.tls);
  }

  dispatch(wire: WireAttempt): void {
    this.uses += 1;
    this.#trust.look();
    this.#renew();
    this.#named(this.#nameFor(wire.attempt.call), wire.authority).pool.dispatch(wire);
  }

  /** For whoever keeps connections himself. */
  secured(call: Call): Secured {
    this.uses += 1;
    const name = this.#nameFor(call);
    const { clock } = this.#options;
    return {
      key: `${name} ${this.#policyKey}`,
      workload: this.#workload,
      dial: (callback) => this.#named(name, call.authority).dialer.dial(callback),
      holds: ({ verified, retiresAt }) => {
        this.#trust.look();
        return retiresAt > clock.now() && this.#trust.holds(verified);
      },
    };
  }

  get size(): number {
    return [...this.#pools.values()].reduce((sum, { pool }) => sum + pool.size, 0);
  }

  get idle(): number {
    return [...this.#pools.values()].reduce((sum, { pool }) => sum + pool.idle, 0);
  }

  /** For a sweep. Open connections are not what they were verified as once trust is in somebody else. */
  dropUnused(): void {
    for (const [name, { pool }] of this.#pools) {
      pool.dropUnused();
      if (pool.size === 0) this.#retire(name, pool);
    }
    void this.#trust.check(0).then(() => this.#renew());
  }

  async close(): Promise<void> {
    this.#leave();
    await Promise.all([...this.#pools.values()].map(({ pool }) => pool.close()));
  }

  async destroy(error: Error): Promise<void> {
    this.#leave();
    await Promise.all([...this.#pools.values()].map(({ pool }) => pool.destroy(error)));
  }

  /** Others than members of the mesh hear nothing of it. */
  get #workload(): string {
    return this.#isMesh ? this.#options.workload : "";
  }

  #nameFor(call: Call): string {
    if (!this.#isMesh) return serverNameOf(call);
    const { config } = call.cluster!; // an attempt has an endpoint, so its call has a cluster
    if (this.#name?.of !== config) this.#name = { of: config, text: serverNameOf(call) };
    return this.#name.text;
  }

  #named(name: string, authority: string): NamedPool {
    return this.#pools.get(name) ?? this.#open(name, authority);
  }

  #open(name: string, authority: string): NamedPool {
    const { onConnect, undici, clock, connections, random, handshakes } = this.#options;
    const { policy } = this;
    const { tls, connection } = policy;
    const of = this.#of;
    const trust = this.#trust;
    const dialer = new Dialer({ of, tls, connection, clock, random, handshakes, trust, serverName: name });
    const connect = inTurn((_, callback) =>
      dialer.dial((error, socket) => (socket === null ? callback(error as Error, null) : callback(null, socket))),
    );
    const options = { onConnect, undici, clock, connections, connect, about: securedOf, workload: this.#workload };
    const pool =
      connection.protocol === "http2"
        ? // Between members of the mesh TLS is the mesh's own, and a request is what it would be without.
          new Http2Pool(of, policy, { ...options, scheme: this.#isMesh ? "http" : "https" })
        : new EndpointPool(of, policy, { ...options, authority });
    const made = { pool, dialer };
    this.#pools.set(name, made);
    const [oldest] = this.#pools;
    if (this.#pools.size > MOST_NAMES && oldest !== undefined) this.#retire(oldest[0], oldest[1].pool);
    return made;
  }

  /** Trust changed: where it is no longer in servers that are connected, requests under way finish, later ones get others. */
  #renew(): void {
    const { generation, graceMs } = this.#trust;
    if (generation === this.#generation) return;
    this.#generation = generation;
    const { clock, random } = this.#options;
    for (const [name, { pool, dialer }] of this.#pools) {
      if (dialer.holds) continue;
      if (graceMs === 0) this.#retire(name, pool);
      else clock.after(random.next() * graceMs, () => this.#retire(name, pool));
    }
  }

  #retire(name: string, pool: Pool): void {
    if (this.#pools.get(name)?.pool !== pool) return;
    this.#pools.delete(name);
    void pool.close().catch(() => {});
  }

  #leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#options.trusts.leave(this.#trust);
  }
}
