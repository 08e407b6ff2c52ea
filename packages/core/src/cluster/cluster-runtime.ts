/**
 * Runtime state of one cluster: its endpoints, its balancer, its counters. Keyed by name, so that it survives snapshots;
 * a new snapshot only brings new configuration and a new endpoint set. More than 400 lines, because whoever is picked depends
 * on all of it, and each part of it is one line here and a class elsewhere.
 */

import type { Cluster, Endpoint, EndpointSet, Snapshot } from "@inmesh/model";
import type { Balancer, BalancerView } from "../balance/balancer.js";
import { balancingKey, createBalancer } from "../balance/create.js";
import type { XxHashLoader } from "../balance/xx-hash.js";
import type { BreakerMoves } from "../breaker/breaker.js";
import { ClusterBreakers } from "../breaker/cluster-breakers.js";
import type { Attempt, Outcome } from "../call/attempt.js";
import type { Call } from "../call/call.js";
import { isClosed } from "../call/classify.js";
import type { Names } from "../dns/names.js";
import { Waits } from "../dns/waits.js";
import { MeshError } from "../errors.js";
import { ClusterHealth } from "../health/cluster-health.js";
import type { HealthChecks } from "../health/health-checks.js";
import { outStory } from "../health/out-story.js";
import { ClusterLimits } from "../limit/cluster-limits.js";
import { RetryRate } from "../limit/retry-rate.js";
import type { ClientZones } from "../locality/group-endpoints.js";
import type { Ejections } from "../outlier/outlier-detector.js";
import type { Clock } from "../runtime/clock.js";
import type { Random } from "../runtime/random.js";
import { CallStats } from "../stats/call-stats.js";
import { AsAsked } from "./as-asked.js";
import { ByName } from "./by-name.js";
import { ByRequest } from "./by-request.js";
import { sourceOf } from "./endpoint-source.js";
import { EndpointState } from "./endpoint-state.js";
import type { ServiceUse } from "./service-use.js";

export interface ClusterOptions {
  /** A circuit breaker opened, is half open, or closed: a line of a log. */
  readonly onBreaker: (message: string) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly names: Names;
  readonly use: ServiceUse;
  readonly xxHash: XxHashLoader;
  /** Of this process, unique among its kind. */
  readonly instance: string;
  /** Where the processes of the client's service run; another object when that changed. */
  readonly clientZones: () => ClientZones;
  /**
   * Called when an endpoint left the registry, or one of the processes that share its address did: connections are to be
   * closed once idle, since any of them may lead to the one that left.
   */
  readonly onRemoved: (state: EndpointState) => void;
  /** Nobody listens at an endpoint, as a call found out. */
  readonly onClosed: (endpoint: string) => void;
  readonly healthChecks: HealthChecks;
  /** An endpoint was ejected, or is in use again, in words. */
  readonly onHealth: (message: string) => void;
}

/** An endpoint that refuses connections is left alone this long, doubled for each refusal in a row. In ms. */
const REFUSED_BASE_MS = 500;
const REFUSED_MAX_MS = 10_000;
/** Envoy repeats host selection this often to avoid hosts already tried (policy-semantics §1.7). */
const REPICKS = 5;

const NONE_DROPPED: ReadonlyMap<string, number> = new Map();

export class ClusterRuntime {
  readonly stats = new CallStats();
  readonly limits: ClusterLimits;
  /** Undefined where policy has no circuit breaker. */
  breakers: ClusterBreakers | undefined;
  /** Of breakers that are gone, too. */
  readonly breakerMoves: BreakerMoves = { open: 0, halfOpen: 0, closed: 0 };
  #dropped: Map<string, number> | undefined;
  readonly #options: ClusterOptions;
  #config: Cluster;
  /** The snapshot's. */
  #set: EndpointSet;
  /** What shares of zones were last made of; read only where policy cares. */
  #clientZones: ClientZones;
  /** What `#states` were made of. */
  #adopted: EndpointSet | undefined;
  #states: readonly EndpointState[] = [];
  #balancer: Balancer;
  /** Only for clusters without endpoints of their own: PASSTHROUGH, resolution NONE, DYNAMIC_DNS. */
  #asked: AsAsked | ByRequest | undefined;
  /** Only for clusters whose endpoints may be names: resolution DNS and DNS_ROUND_ROBIN. */
  #byName: ByName | undefined;
  /** Clock ms from which on a call is to say that the service is in use; never where its registry tells everything. */
  #usedAt: number;
  /** For instances that the registry has not told yet. */
  #untold: Waits | undefined;
  #closed = false;
  /** From the first retry under such a policy on. */
  #retryRate: RetryRate | undefined;
  readonly #health: ClusterHealth;

  constructor(snapshot: Snapshot, config: Cluster, options: ClusterOptions) {
    this.#options = { ...options, onRemoved: (state) => this.#onRemoved(state, options.onRemoved) };
    this.#config = config;
    this.#usedAt = saysUseAt(config);
    this.#balancer = createBalancer(config.policy, options);
    this.limits = new ClusterLimits(config.policy, options.clock.now());
    this.#updateBreakers(config);
    this.#health = new ClusterHealth(config, options.clock.now(), {
      ...options,
      onChange: () => this.#offer(options.clock.now()),
    });
    this.#set = snapshot.endpoints(config);
    this.#prepare();
  }

  /** Requests that the control plane had turned away, by category. */
  get dropped(): ReadonlyMap<string, number> {
    return this.#dropped ?? NONE_DROPPED;
  }

  countDropped(category: string): void {
    this.#dropped ??= new Map();
    this.#dropped.set(category, (this.#dropped.get(category) ?? 0) + 1);
  }

  get config(): Cluster {
    return this.#config;
  }

  /** Shares of its requests that the control plane wants turned away; undefined for none. */
  get drops(): EndpointSet["drops"] {
    return this.#set.drops;
  }

  /** The registry's view has it no more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Somebody is judged by how attempts end. */
  get judges(): boolean {
    const { outlier, breaker } = this.#config.policy;
    return outlier !== undefined || breaker !== undefined;
  }

  /** How its calls are spread at the moment; undefined where the name of the strategy says it all. */
  get balancing(): BalancerView | undefined {
    return this.#balancer.describe?.();
  }

  /** Of endpoints that have left, too. */
  get ejections(): Ejections {
    return this.#health.ejections;
  }

  get states(): readonly EndpointState[] {
    return this.#asked instanceof ByRequest ? this.#asked.states : this.#states;
  }

  /** Endpoints that calls may go to now. */
  get usable(): readonly EndpointState[] {
    if (this.#asked !== undefined) return this.states;
    const now = this.#options.clock.now();
    if (now >= this.#health.changesAt) this.#offer(now); // nobody called since
    return this.#health.choice.usable;
  }

  /** So few endpoints are well that all are used. */
  get panic(): boolean {
    return this.#asked === undefined && this.#health.choice.panic;
  }

  /** What its names stand for; undefined where there are none, or nobody asked yet. */
  get lookedUp(): readonly Endpoint[] | undefined {
    const known = this.#asked instanceof ByRequest ? this.states.length > 0 : this.#byName?.started === true;
    return known ? this.states.map(({ endpoint }) => endpoint) : undefined;
  }

  /** Called with every snapshot; does nothing when neither policy nor endpoints changed. */
  update(snapshot: Snapshot, config: Cluster): void {
    this.#take(snapshot, config);
    if (this.#untold !== undefined && !this.#awaitsInstances) this.#endWaits();
  }

  #take(snapshot: Snapshot, config: Cluster): void {
    const before = this.#config;
    if (config !== before) {
      this.#config = config;
      if (config.service.knownAs !== before.service.knownAs) this.#usedAt = saysUseAt(config);
      this.#set = snapshot.endpoints(config);
      this.limits.update(config.policy, this.#options.clock.now());
      if (balancingKey(config.policy) !== balancingKey(before.policy)) {
        this.#balancer = createBalancer(config.policy, this.#options);
        this.#offer(this.#options.clock.now());
      }
      this.#updateBreakers(config);
      if (this.#health.update(config, this.#states, this.#options.clock.now())) this.#offer(this.#options.clock.now());
      if (sourceOf(config) !== sourceOf(before)) return this.#prepare();
    }
    this.#set = snapshot.endpoints(config);
    if (this.#byName !== undefined) this.#byName.update(this.#set);
    else if (this.#set !== this.#adopted) this.#adopt(this.#set);
    if (config.policy.locality?.kind === "zoneAware" && this.#options.clientZones() !== this.#clientZones) {
      this.#offer(this.#options.clock.now());
    }
  }

  /**
   * Picks and holds an endpoint until `release`.
   * Endpoints this call has failed on are avoided while another one is left.
   */
  acquire(call: Call, now: number): EndpointState | undefined {
    if (now >= this.#usedAt) this.use(now);
    if (this.#asked !== undefined) return this.#asked.acquire(call, this.#config, now);
    if (now >= this.#health.changesAt) this.#offer(now);
    const { tried } = call;
    const failed = tried !== undefined && avoidsTried(call) ? tried : undefined;
    const avoid = this.breakers === undefined ? failed : this.breakers.avoided(call, failed, now);
    let state = this.#ofSession(call, avoid, now) ?? this.#balancer.pick(now, call, avoid);
    if (state === undefined) return undefined;
    if (avoid?.includes(state)) state = this.#pickUntried(call, avoid, now) ?? state;
    if (call.wrongPeers?.includes(state)) return undefined;
    state.inFlight += 1;
    return state;
  }

  /** Undefined where there is no session, or its endpoint is gone, not well, or has failed this call. */
  #ofSession({ session }: Call, avoid: readonly EndpointState[] | undefined, now: number): EndpointState | undefined {
    const state = session?.endpointIn(this);
    return state === undefined || !state.usable(now) || avoid?.includes(state) ? undefined : state;
  }

  /** A call is about to need its endpoints: a registry that waits for this tells them from now on. */
  use(now: number): void {
    this.#usedAt = this.#options.use.note(this.#config.service, now);
  }

  /** Whether there is an endpoint that is none of these. */
  hasUntried(tried: readonly EndpointState[]): boolean {
    return this.#asked === undefined && this.#states.some((state) => !tried.includes(state));
  }

  /** Whether there is one left that this call has not failed on, so far as can be told without picking. */
  hasOther({ tried = [] }: Call): boolean {
    if (this.#asked !== undefined) return false;
    const { usable, permitted } = this.#health.choice;
    const { locality, subsetSize } = this.#config.policy;
    const within = locality === undefined && subsetSize === undefined ? permitted : usable;
    return within.some((state) => !tried.includes(state));
  }

  /** Whether `acquire` would find something. */
  has(call: Call): boolean {
    if (this.#asked === undefined) return this.#health.choice.usable.length > 0 && !this.#balancer.complaint;
    return !(this.#asked instanceof ByRequest) || this.#asked.has(call, this.#config);
  }

  /**
   * The call found no endpoint: names are looked up, if there are any, and instances that the registry has yet to tell are
   * waited for.
   * @param signal ends the wait
   * @returns settles once there is an endpoint or none will come; undefined when there is nothing to wait for
   */
  lookUp(call: Call, signal: AbortSignal): Promise<void> | undefined {
    if (this.#asked instanceof ByRequest) return this.#asked.wait(call, this.#config, signal);
    if (!this.#awaitsInstances) return this.#byName?.wait(signal);
    this.#untold ??= new Waits();
    return this.#untold.add(signal);
  }

  /** Why there is no endpoint, in words; empty where there is none to begin with. */
  complaint(call: Call): string {
    if (this.#asked instanceof ByRequest) return this.#asked.complaint(call, this.#config);
    if (this.#health.choice.usable.length > 0) return this.#balancer.complaint ?? "";
    if (this.#states.length > 0) return outStory(this.#states, this.#options.clock.now());
    if (this.#closed) return "the registry has no such service, port or subset any more";
    if (this.#awaitsInstances) return "the registry has not told its instances yet";
    return this.#byName?.complaint ?? "";
  }

  /** Takes one of the retries that policy grants by rate; without such a policy there is always one. */
  mayRetry(now: number): boolean {
    const { retryRate } = this.#config.policy;
    if (retryRate === undefined) return true;
    const { started } = this.stats;
    this.#retryRate ??= new RetryRate(retryRate, started, now);
    return this.#retryRate.take(retryRate, started, now);
  }

  /** Retries that are left by rate; undefined without such a policy. */
  get retriesLeft(): number | undefined {
    const { retryRate } = this.#config.policy;
    if (retryRate === undefined) return undefined;
    const now = this.#options.clock.now();
    this.#retryRate ??= new RetryRate(retryRate, this.stats.started, now);
    return this.#retryRate.left(retryRate, this.stats.started, now);
  }

  release(attempt: Attempt, outcome: Outcome, now: number): void {
    const state = attempt.endpoint;
    state.attempts += 1;
    if (outcome === "failure") state.failures += 1;
    this.#countApart(attempt);
    attempt.breaker?.record(attempt, outcome, now);
    this.releaseMirror(attempt, outcome, now);
  }

  /** What says more about who somebody is than about how well: counted beside the failures. */
  #countApart({ error, rejected }: Attempt): void {
    if (rejected) this.stats.rejections += 1;
    if (error instanceof MeshError && error.code === "WRONG_PEER") this.stats.wrongPeers += 1;
  }

  /** The same for a copy: the endpoint bears its load and shows its health, and counts nothing that was asked of it. */
  releaseMirror(attempt: Attempt, outcome: Outcome, now: number): void {
    const state = attempt.endpoint;
    state.inFlight -= 1;
    this.limits.end(attempt, now);
    if (state.refusals > 0 && attempt.status > 0 && attempt.startedAt >= state.ejectedAt) this.#readmit(state, now);
    if (this.#health.record(attempt, outcome, this.#states, now)) this.#offer(now);
    this.#balancer.observe?.(state, (attempt.status > 0 ? attempt.headAt : now) - attempt.startedAt, outcome, now);
  }

  /** The endpoint did not take the connection: others are preferred for a while. Nobody is left when all refuse. */
  refused({ endpoint: state, startedAt, endedAt: now, error }: Attempt): void {
    if (error instanceof MeshError && isClosed(error)) this.#options.onClosed(state.endpoint.id);
    // Many calls may run into one closed port at once: that is one refusal, not one after the other.
    if (state.ejectedUntil > now || startedAt < state.ejectedAt) return;
    state.refusals += 1;
    state.ejectedAt = now;
    state.ejectedUntil = now + Math.min(REFUSED_BASE_MS * 2 ** (state.refusals - 1), REFUSED_MAX_MS);
    this.#offer(now);
  }

  /** Leaves the registry's view for good. */
  close(): void {
    this.#closed = true;
    this.#asked?.close();
    this.#byName?.close();
    for (const state of this.#states) this.#remove(state);
    this.#states = [];
    this.#health.close();
    this.#offer(this.#options.clock.now());
    this.#endWaits();
  }

  get #awaitsInstances(): boolean {
    return this.#config.service.pending === true && this.#set.endpoints.length === 0 && !this.#closed;
  }

  #endWaits(): void {
    this.#untold?.end();
    this.#untold = undefined;
  }

  #updateBreakers({ policy: { breaker } }: Cluster): void {
    if (breaker !== undefined && this.breakers !== undefined) return this.breakers.update(breaker);
    this.breakers?.close();
    const { clock, onBreaker } = this.#options;
    this.breakers =
      breaker &&
      new ClusterBreakers(breaker, () => this.#config, { clock, moves: this.breakerMoves, onEvent: onBreaker });
  }

  /** It answered a call that began after it was put aside, so it is back before its time. */
  #readmit(state: EndpointState, now: number): void {
    state.refusals = 0;
    if (state.ejectedUntil <= now) return;
    state.ejectedUntil = 0;
    this.#offer(now);
  }

  #pickUntried(call: Call, tried: readonly EndpointState[], now: number): EndpointState | undefined {
    for (let turn = 0; turn < REPICKS; turn++) {
      const state = this.#balancer.pick(now, call, tried);
      if (state !== undefined && !tried.includes(state)) return state;
    }
    const { locality, subsetSize } = this.#config.policy;
    if (locality !== undefined || subsetSize !== undefined) return undefined; // whoever else there is, is not for this client
    // Differs: Envoy takes the last pick now. An endpoint not tried yet is the better answer, those that refused last.
    const { usable, permitted } = this.#health.choice;
    return usable.find((state) => !tried.includes(state)) ?? permitted.find((state) => !tried.includes(state));
  }

  /** Endpoints come from another source than before. */
  #prepare(): void {
    this.#asked?.close();
    this.#byName?.close();
    this.#asked = undefined;
    this.#byName = undefined;
    const source = sourceOf(this.#config);
    const { clock, names, onRemoved } = this.#options;
    if (source === "asAsked") this.#asked = new AsAsked({ onRemoved });
    if (source === "byRequest") this.#asked = new ByRequest({ names, onRemoved, now: () => clock.now() });
    if (source !== "byName" && source !== "firstByName") return this.#adopt(this.#set);
    const firstOnly = source === "firstByName";
    this.#byName = new ByName(this.#set, { names, firstOnly, changed: (set) => this.#adopt(set) });
    this.#adopt({ cluster: this.#config.name, endpoints: [] }); // until somebody calls
  }

  #adopt(set: EndpointSet): void {
    this.#adopted = set;
    const now = this.#options.clock.now();
    const known = new Map(this.#states.map((state) => [state.endpoint.id, state]));
    this.#states = set.endpoints.map((endpoint) => {
      const state = known.get(endpoint.id);
      if (state === undefined) return new EndpointState(endpoint, now);
      known.delete(endpoint.id);
      const { workloads } = state.endpoint;
      state.endpoint = endpoint; // same address, perhaps new labels or weight
      if (workloads.some((name) => !endpoint.workloads.includes(name))) this.#options.onRemoved(state);
      return state;
    });
    for (const gone of known.values()) this.#remove(gone);
    this.#health.adopt(this.#states);
    this.#offer(now);
  }

  #onRemoved(state: EndpointState, tell: (state: EndpointState) => void): void {
    if (state.removed) this.breakers?.forget(state);
    tell(state);
  }

  #remove(state: EndpointState): void {
    state.removed = true;
    this.#options.onRemoved(state);
  }

  /** Hands the balancer whoever is not out at the moment. */
  #offer(now: number): void {
    if (this.#config.policy.locality?.kind === "zoneAware") this.#clientZones = this.#options.clientZones();
    const { usable, calm } = this.#health.choose(this.#states, now);
    // In localities each rank is in a panic or not.
    if (this.#config.policy.locality !== undefined)
      this.#balancer.update(calm, this.#states, this.#health.minHealthRatio);
    else this.#balancer.update(usable, this.#states);
  }
}

function saysUseAt({ service }: Cluster): number {
  return service.knownAs === undefined ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
}

/** A call that has tried something has a route; an attempt beside others would be no use where one of those is. */
function avoidsTried({ route, hedge, wrongPeers }: Call): boolean {
  return hedge !== undefined || wrongPeers !== undefined || route!.retry.avoidPreviousHosts;
}
