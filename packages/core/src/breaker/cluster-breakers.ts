/**
 * The breakers of one cluster under one CircuitBreaker: one for all its calls, one per rule, or one per endpoint (pitfalls
 * B1). They live as long as what they stand for: the cluster, a rule that is called, an endpoint. Absent where policy has
 * none.
 */

import type { BreakerPolicy, Cluster, Route } from "@inmesh/model";
import type { Attempt } from "../call/attempt.js";
import type { Call } from "../call/call.js";
import type { EndpointState } from "../cluster/endpoint-state.js";
import type { Clock } from "../runtime/clock.js";
import { Breaker, type BreakerMoves } from "./breaker.js";

/** Rules watched at a time; the one least recently called leaves (pitfalls B8). */
const MOST_ROUTES = 256;
/** A closed one that nobody used for this long is forgotten when room is wanted, in ms. */
const IDLE_MS = 10 * 60_000;

export interface ClusterBreakersOptions {
  readonly clock: Clock;
  readonly moves?: BreakerMoves | undefined;
  readonly onEvent: (message: string) => void;
}

export class ClusterBreakers {
  readonly #cluster: () => Cluster;
  readonly #options: ClusterBreakersOptions;
  #policy: BreakerPolicy;
  #ofCluster: Breaker | undefined;
  // Made when there is something to put in: policy wants one kind of breaker only, and there are thousands of clusters.
  #ofRoutes: Map<string, Breaker> | undefined;
  /** Which of those a rule has; rules are other objects in each snapshot. */
  #byRoute: WeakMap<Route, Breaker> | undefined;
  #ofEndpoints: Map<EndpointState, Breaker> | undefined;
  /** Endpoints whose breakers are not closed, as far as is known without asking each. */
  #broken: Set<EndpointState> | undefined;

  constructor(policy: BreakerPolicy, cluster: () => Cluster, options: ClusterBreakersOptions) {
    this.#policy = policy;
    this.#cluster = cluster;
    this.#options = options;
  }

  get policy(): BreakerPolicy {
    return this.#policy;
  }

  /** Good answers are wanted for later. */
  get keepsAnswers(): boolean {
    return this.#policy.fallback?.kind === "stale";
  }

  /** A new snapshot. What was seen stays, unless another thing is watched now. */
  update(policy: BreakerPolicy): void {
    if (JSON.stringify(policy) === JSON.stringify(this.#policy)) return;
    if (policy.scope !== this.#policy.scope) this.close();
    this.#policy = policy;
    for (const breaker of this.all()) breaker.policy = policy;
  }

  /** Those there are, in no order. */
  all(): readonly Breaker[] {
    const one = this.#ofCluster;
    return [
      ...(one === undefined ? [] : [one]),
      ...(this.#ofRoutes?.values() ?? []),
      ...(this.#ofEndpoints?.values() ?? []),
    ];
  }

  /** Of an endpoint that has been used. */
  ofEndpoint(state: EndpointState): Breaker | undefined {
    return this.#ofEndpoints?.get(state);
  }

  /**
   * Asked before an endpoint is picked.
   * @param cluster any endpoint of it may take the attempt where each has its own
   * @returns the breaker because of which no attempt of the call may be made; of several the one that is probed first
   */
  stops(call: Call, cluster: { readonly states: readonly EndpointState[] }, now: number): Breaker | undefined {
    if (this.#policy.scope !== "endpoint") {
      const breaker = this.#of(call);
      return lets(breaker, call, now) ? undefined : breaker;
    }
    const broken = this.#broken?.size ?? 0;
    if (broken === 0) return undefined;
    const { states } = cluster;
    if (broken < states.length || states.length === 0) return undefined;
    let first: Breaker | undefined;
    for (const state of states) {
      const breaker = this.#ofEndpoints?.get(state);
      if (breaker === undefined || lets(breaker, call, now)) return undefined;
      if (first === undefined || breaker.until < first.until) first = breaker;
    }
    return first;
  }

  /** Whether an attempt that failed may be followed by another. A probe is not: one failure is what it found out. */
  mayRetry(attempt: Attempt, cluster: { readonly states: readonly EndpointState[] }, now: number): boolean {
    if (attempt.probe && this.#policy.scope !== "endpoint") return false;
    return this.stops(attempt.call, cluster, now) === undefined;
  }

  /** The breaker of an endpoint that was picked all the same, when it lets nobody through. */
  stopsAt(state: EndpointState, call: Call, now: number): Breaker | undefined {
    if (this.#broken?.has(state) !== true) return undefined;
    const breaker = this.#ofEndpoints?.get(state);
    return breaker === undefined || lets(breaker, call, now) ? undefined : breaker;
  }

  /** Endpoints that are not to be picked now, besides those the call has tried. */
  avoided(call: Call, tried: readonly EndpointState[] | undefined, now: number): readonly EndpointState[] | undefined {
    if (this.#broken === undefined || this.#broken.size === 0) return tried;
    const blocked = [...this.#broken].filter((state) => this.stopsAt(state, call, now) !== undefined);
    if (blocked.length === 0) return tried;
    return tried === undefined ? blocked : [...tried, ...blocked];
  }

  /** An attempt that was admitted in this turn goes. */
  take(attempt: Attempt, now: number): void {
    const breaker = this.#policy.scope === "endpoint" ? this.#at(attempt.endpoint) : this.#of(attempt.call);
    attempt.breaker = breaker;
    breaker.take(attempt, now);
  }

  /** An endpoint left. */
  forget(state: EndpointState): void {
    this.#ofEndpoints?.get(state)?.close();
    this.#ofEndpoints?.delete(state);
    this.#broken?.delete(state);
  }

  close(): void {
    for (const breaker of this.all()) breaker.close();
    this.#ofCluster = undefined;
    this.#ofRoutes = undefined;
    this.#byRoute = undefined;
    this.#ofEndpoints = undefined;
    this.#broken = undefined;
  }

  #of(call: Call): Breaker {
    if (this.#policy.scope === "cluster") {
      this.#ofCluster ??= this.#make(`"${this.#cluster().name}"`);
      return this.#ofCluster;
    }
    const route = call.route!; // it got as far as a cluster
    const known = this.#byRoute?.get(route);
    if (known !== undefined) return known;
    const breaker = this.#ofRule(route);
    this.#byRoute ??= new WeakMap();
    this.#byRoute.set(route, breaker);
    return breaker;
  }

  #ofRule({ name, resource }: Route): Breaker {
    const rule = resource === null ? `rule "${name}"` : `rule "${name}" of ${resource.namespace}/${resource.name}`;
    this.#ofRoutes ??= new Map();
    let breaker = this.#ofRoutes.get(rule);
    if (breaker !== undefined) return breaker;
    if (this.#ofRoutes.size >= MOST_ROUTES) this.#makeRoom(this.#ofRoutes);
    breaker = this.#make(`${rule} to "${this.#cluster().name}"`);
    this.#ofRoutes.set(rule, breaker);
    return breaker;
  }

  #at(state: EndpointState): Breaker {
    this.#ofEndpoints ??= new Map();
    let breaker = this.#ofEndpoints.get(state);
    if (breaker === undefined) {
      const { id } = state.endpoint;
      breaker = this.#make(`endpoint ${id} of "${this.#cluster().name}"`, id, (each) => {
        if (each.state(this.#options.clock.now()) === "closed") {
          this.#broken?.delete(state);
          return;
        }
        this.#broken ??= new Set();
        this.#broken.add(state);
      });
      this.#ofEndpoints.set(state, breaker);
    }
    return breaker;
  }

  #make(name: string, endpoint = "", changed?: (breaker: Breaker) => void): Breaker {
    const { clock, moves, onEvent } = this.#options;
    const breaker: Breaker = new Breaker(this.#policy, {
      clock,
      moves,
      name,
      endpoint,
      onEvent: (message) => {
        changed?.(breaker);
        onEvent(message);
      },
    });
    return breaker;
  }

  /** Idle ones first, else the one that was used least recently. */
  #makeRoom(routes: Map<string, Breaker>): void {
    const now = this.#options.clock.now();
    let oldest: [string, Breaker] | undefined;
    for (const entry of routes) {
      const [key, breaker] = entry;
      if (now - breaker.usedAt >= IDLE_MS && breaker.state(now) === "closed") this.#drop(routes, key, breaker);
      else if (oldest === undefined || breaker.usedAt < oldest[1].usedAt) oldest = entry;
    }
    if (routes.size >= MOST_ROUTES && oldest !== undefined) this.#drop(routes, ...oldest);
  }

  #drop(routes: Map<string, Breaker>, key: string, breaker: Breaker): void {
    breaker.close();
    routes.delete(key);
    this.#byRoute = undefined; // a rule that is called again gets a new one
  }
}

/** Copies find nothing out: their answers count for nobody. */
function lets(breaker: Breaker, call: Call, now: number): boolean {
  return breaker.admits(now) && !(call.isCopy && breaker.state(now) !== "closed");
}
