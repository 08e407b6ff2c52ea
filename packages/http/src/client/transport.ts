/** Connections of the HTTP clients of one mesh: a pool per endpoint, made on its first pick and closed when it falls idle. */

import {
  type Attempt,
  type Call,
  type Clock,
  type Identity,
  type Random,
  systemRandom,
  type Timer,
} from "@inmesh/core";
import { type EndpointDials, type EndpointState, isSecured, tlsRefused } from "@inmesh/core/internal";
import type { TrafficPolicy } from "@inmesh/model";
import { ClusterConnections, type ClusterLimits } from "./cluster-connections.js";
import { endpointConnector } from "./endpoint-connector.js";
import { EndpointPool } from "./endpoint-pool.js";
import { Http2Pool } from "./http2/http2-pool.js";
import type { Pool } from "./pool.js";
import { TlsEndpointDials } from "./tls/endpoint-dials.js";
import { Handshakes } from "./tls/handshakes.js";
import { type Secured, TlsPools } from "./tls/tls-pools.js";
import { Trusts } from "./tls/trust.js";
import type { Undici } from "./undici-module.js";
import type { WireAttempt } from "./wire-attempt.js";

/** Puts attempts on the wire. */
export interface Transport {
  send(wire: WireAttempt): void;
  /** @returns undefined for an endpoint that is called in plaintext. @throws {MeshError} `TLS_UNAVAILABLE` */
  secured(attempt: Attempt): Secured | undefined;
}

/** A pool unused for one to two of these is closed: it costs 19 KB, and one more connection set-up when it is wanted again. In ms. */
const SWEEP_MS = 10_000;

export interface HttpTransportOptions {
  readonly clock: Clock;
  /** Called once, with the first request. */
  readonly undici: () => Undici;
  /** What this process shows to endpoints of the mesh. @default it has none: they are called in plaintext unless a rule asks for TLS */
  readonly identity?: Identity | undefined;
  /** @default the system's */
  readonly random?: Random;
  /** Handshakes may be shortened by tickets of an earlier one. @default true */
  readonly tickets?: boolean;
  /** Told of a file that turned bad while it was in use. @default nobody hears it */
  readonly onNotice?: (message: string) => void;
}

export class HttpTransport implements Transport {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #hasIdentity: boolean;
  readonly #load: () => Undici;
  readonly #states = new Set<EndpointState>();
  readonly #connections = new WeakMap<ClusterLimits, ClusterConnections>();
  #undici: Undici | undefined;
  #sweep: Timer | undefined;
  /** Connections asked for so far, by pools that are closing too. */
  connects = 0;
  /** What members of the mesh are told of this process over the mesh's own TLS, see `WORKLOAD_HEADER`; empty: nothing. */
  workload = "";
  readonly #trusts: Trusts;
  readonly #handshakes: Handshakes;
  #dials: EndpointDials | undefined;
  readonly #onConnect = (): void => {
    this.connects += 1;
  };

  constructor(options: HttpTransportOptions) {
    const { clock, undici, identity, random = systemRandom, tickets = true, onNotice = () => {} } = options;
    this.#clock = clock;
    this.#random = random;
    this.#load = undici;
    this.#hasIdentity = identity !== undefined;
    this.#trusts = new Trusts({ clock, identity, notice: onNotice });
    this.#handshakes = new Handshakes(clock, tickets);
  }

  send(wire: WireAttempt): void {
    const { attempt } = wire;
    const { policy } = attempt.call.cluster!.config; // an attempt has an endpoint, so its call has a cluster
    const state = attempt.endpoint;
    const pool = state.http as Pool | undefined;
    if (pool !== undefined && pool.policy === policy && pool.endpoint === state.endpoint) pool.dispatch(wire);
    else this.#dispatchAnew(wire, pool, policy);
  }

  secured({ call, endpoint }: Attempt): Secured | undefined {
    const { config } = call.cluster!; // an attempt has an endpoint, so its call has a cluster
    const { policy } = config;
    if (policy.tls.refusal !== "") throw tlsRefused(config, call.route?.name ?? "");
    if (!isSecured(policy.tls, endpoint.endpoint, this.#hasIdentity)) return undefined;
    const old = endpoint.http as Pool | undefined;
    const isSame = old?.policy === policy && old.endpoint === endpoint.endpoint;
    const pools = isSame ? old : this.#pool(call, endpoint, old, policy);
    return pools instanceof TlsPools ? pools.secured(call) : undefined;
  }

  /** The policy is another than that of the last request, or there was none. */
  #dispatchAnew(wire: WireAttempt, old: Pool | undefined, policy: TrafficPolicy): void {
    const { endpoint, call } = wire.attempt;
    // It may be newer than what let the call come here.
    if (policy.tls.refusal !== "") wire.onError(tlsRefused(call.cluster!.config, call.route?.name ?? ""));
    else this.#pool(call, endpoint, old, policy).dispatch(wire);
  }

  /** For a transport that makes its own connections. */
  get dials(): EndpointDials {
    this.#dials ??= new TlsEndpointDials({
      ...{ clock: this.#clock, random: this.#random, hasIdentity: this.#hasIdentity },
      ...{ trusts: this.#trusts, handshakes: this.#handshakes },
    });
    return this.#dials;
  }

  /** For `Engine`'s option of that name: running requests finish, nothing new starts on connections open now. */
  readonly onEndpointRemoved = (state: EndpointState): void => this.#retire(state);

  /** TLS handshakes with endpoints so far. */
  get handshakes(): Pick<Handshakes, "done" | "failed"> {
    return this.#handshakes;
  }

  /** Pools open now. */
  get size(): number {
    return this.#states.size;
  }

  /** Connections in them, and undici Clients that have none. */
  get clients(): number {
    return [...this.#states].reduce((sum, { http }) => sum + (http as Pool).size, 0);
  }

  /** Lets running requests finish. */
  async close(): Promise<void> {
    await this.#closeAll((pool) => pool.close());
  }

  /** Running requests end with `error`. */
  async destroy(error: Error): Promise<void> {
    await this.#closeAll((pool) => pool.destroy(error));
  }

  #pool(call: Call, state: EndpointState, old: Pool | undefined, policy: TrafficPolicy): Pool {
    const secured = isSecured(policy.tls, state.endpoint, this.#hasIdentity);
    if (old !== undefined) {
      if (old instanceof TlsPools === secured && samePolicy(old.policy, policy)) {
        old.policy = policy;
        old.endpoint = state.endpoint;
        return old;
      }
      this.#retire(state);
    }
    this.#undici ??= this.#load();
    const { authority, cluster } = call;
    const undici = this.#undici;
    const connections = this.#connectionsOf(cluster!.limits); // as in send
    const shared = { onConnect: this.#onConnect, undici, clock: this.#clock, connections };
    const { workload } = this;
    const ofTls = { random: this.#random, trusts: this.#trusts, handshakes: this.#handshakes, workload };
    const pool = secured
      ? new TlsPools(state, policy, { ...shared, ...ofTls })
      : policy.connection.protocol === "http2"
        ? new Http2Pool(state, policy, {
            ...shared,
            scheme: "http",
            connect: endpointConnector(state, policy.connection, undici),
          })
        : new EndpointPool(state, policy, { ...shared, authority });
    state.http = pool;
    this.#states.add(state);
    this.#sweep ??= this.#clock.every(SWEEP_MS, () => this.#closeIdle());
    return pool;
  }

  #connectionsOf(limits: ClusterLimits): ClusterConnections {
    let known = this.#connections.get(limits);
    if (known === undefined) {
      known = new ClusterConnections(limits);
      this.#connections.set(limits, known);
    }
    return known;
  }

  #closeIdle(): void {
    for (const state of this.#states) {
      const pool = state.http as Pool;
      if (state.removed || (pool.usesSeen === pool.uses && state.inFlight === 0)) {
        this.#retire(state);
      } else {
        pool.usesSeen = pool.uses;
        pool.dropUnused();
      }
    }
    if (this.#states.size > 0) return;
    this.#sweep?.cancel();
    this.#sweep = undefined;
  }

  #retire(state: EndpointState): void {
    const pool = state.http as Pool | undefined;
    if (pool === undefined) return;
    state.http = undefined;
    this.#states.delete(state);
    void pool.close().catch(() => {});
  }

  async #closeAll(close: (pool: Pool) => Promise<void>): Promise<void> {
    this.#sweep?.cancel();
    this.#sweep = undefined;
    const pools = [...this.#states].map((state) => {
      const pool = state.http as Pool;
      state.http = undefined;
      return pool;
    });
    this.#states.clear();
    await Promise.all(pools.map(close));
  }
}

/** A new snapshot brings new objects; connections are worth keeping while they say the same. */
function samePolicy(one: TrafficPolicy, other: TrafficPolicy): boolean {
  const text = ({ connection, tls }: TrafficPolicy): string => JSON.stringify([connection, tls]);
  return text(one) === text(other);
}
