/**
 * The engine: takes calls from adapters, runs the part of the stack that every call shares, then its route's own.
 * One per mesh; holds all runtime state and no global one.
 *
 * More than 400 lines: the way of a call from its start to its end is read in one piece, and every part it passes hangs here.
 */

import type { PeerIdentity, Route, ServiceRef, Snapshot, VirtualHost } from "@inmesh/model";
import { Gate } from "../admission/gate.js";
import { XxHashLoader } from "../balance/xx-hash.js";
import type { Breaker } from "../breaker/breaker.js";
import { breakerError } from "../breaker/breaker-error.js";
import { answerInstead, goElsewhere } from "../breaker/fallback.js";
import { StaleAnswers } from "../breaker/stale-answers.js";
import { Attempt, type Tunnel } from "../call/attempt.js";
import type { Call } from "../call/call.js";
import { canonicalPath } from "../call/canonical-path.js";
import { Contexts } from "../call/context.js";
import { hedge } from "../call/hedge.js";
import { countCall } from "../call/ledger.js";
import { withoutMeshHeaders } from "../call/mesh-headers.js";
import { requestLine } from "../call/story.js";
import { noteTries, spanBefore, triesBefore } from "../call/tries.js";
import type { ClusterRuntime } from "../cluster/cluster-runtime.js";
import { Clusters } from "../cluster/clusters.js";
import { ServiceUse } from "../cluster/service-use.js";
import { Names } from "../dns/names.js";
import { MeshError } from "../errors.js";
import { KnownRetryConditions } from "../filter/retry-conditions.js";
import { HealthChecks } from "../health/health-checks.js";
import { ClientZoneReader } from "../locality/client-zones.js";
import { Mirrors } from "../mirror/mirrors.js";
import { Rehearsal } from "../rehearsal/rehearsal.js";
import { type Clock, systemClock } from "../runtime/clock.js";
import { LoopStalls } from "../runtime/loop-stalls.js";
import { type Random, systemRandom } from "../runtime/random.js";
import { systemResolver } from "../runtime/system-resolver.js";
import { throwLater } from "../runtime/throw-later.js";
import { TimerWheel } from "../runtime/timer-wheel.js";
import { Guard } from "../security/guard.js";
import { CodeRoutes } from "../stats/code-routes.js";
import { RuleStats } from "../stats/rule-stats.js";
import { CallRecord } from "../telemetry/call-record.js";
import { FlightRecorder } from "../telemetry/flight-recorder.js";
import { OutcomeSinks } from "../telemetry/outcome-sinks.js";
import { FLAG } from "../telemetry/response-flags.js";
import type { Tracing } from "../telemetry/tracing.js";
import { attemptHeaders } from "./attempt-headers.js";
import { awaitEndpoint, noEndpointError } from "./await-endpoint.js";
import { isDropped } from "./drops.js";
import type { EngineOptions, SnapshotReader } from "./engine-options.js";
import { ENTRY_ROLES, EXIT_ROLES, OUTBOUND } from "./outbound.js";
import { type AttemptNext, compileStack, type Stack, type StageView } from "./stack.js";

/** Hears about every call and attempt once they are over, but for mirrored ones. Must not throw, wait or keep the objects' bodies. */
export interface CallObserver {
  callEnded(call: Call): void;
}

/** While there is no snapshot; Istio's default. */
const DNS_REFRESH_MS = 60_000;

export class Engine {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: SnapshotReader;
  readonly wheel: TimerWheel;
  /** When this process itself was late. Watched while calls are under way that policy judges by, or all (option `timesStalls`). */
  readonly stalls: LoopStalls;
  readonly contexts = new Contexts();
  readonly clusters: Clusters;
  /** Before the process's own servers: who may come in, and then how many. */
  readonly guard: Guard;
  readonly retryConditions = new KnownRetryConditions();
  readonly gate: Gate;
  /** The last outcomes: of calls, and of requests that were served. */
  readonly recorder = new FlightRecorder();
  /** Which routes of the application caused which calls; hears of them as one of `sinks`. */
  readonly codeRoutes = new CodeRoutes();
  /** Hear of every outcome, those of mirrored copies excepted. */
  readonly sinks: OutcomeSinks;
  /** Spans of calls and requests; undefined while nobody traces. */
  tracing: Tracing | undefined = undefined;
  /** Headers of a request that are handed on to the calls made for it besides those of traces, lower-case. */
  forwardHeaders: ReadonlySet<string> | undefined = undefined;
  /** Whose baggage is taken; undefined: everybody's. */
  trustsBaggage: ((peer: PeerIdentity | undefined) => boolean) | undefined = undefined;
  /** Of rules that ask for counters of their own. */
  readonly ruleStats = new RuleStats();
  /** Asked by adapters before anything else: such a request is passed on untouched, and does not wait for a snapshot. */
  readonly excludes: (host: string, port: number) => boolean;
  /** For breakers that fall back on what was good. */
  readonly staleAnswers: StaleAnswers;
  /** For clusters that pick by hash. */
  readonly xxHash = new XxHashLoader();
  /** See the option of that name. */
  readonly address: () => string;
  /** Of this process, unique among its kind. */
  readonly instance: string;
  /** Copies of requests, which are in none of the counts beside. */
  readonly mirrors: Mirrors;
  /** For mode `observe`. */
  readonly rehearsal: Rehearsal;
  /** See the options of these names. */
  readonly onlyObserves: boolean;
  readonly timing: boolean;
  /** Mode `on`: requests may get a deadline and headers of the inbound request they serve. */
  inForce: boolean;
  /** Calls that never found a cluster: no route, unknown cluster, redirects, no configuration. */
  unrouted = 0;
  readonly #configWaitMs: number;
  readonly #onUse: (service: ServiceRef) => void;
  readonly #use: ServiceUse;
  /** Requests that are being served, as whoever serves them counts. */
  serving = 0;
  readonly #timesStalls: boolean;
  readonly #healthChecks: HealthChecks;
  readonly #stacks = new WeakMap<Route, Stack>();
  readonly #observers: CallObserver[] = [];
  readonly #unsubscribe: () => void;

  constructor({
    store,
    clock = systemClock,
    random = systemRandom,
    resolver = systemResolver(),
    configWaitMs = 5_000,
    excludes = () => false,
    onlyObserves = false,
    address = () => "127.0.0.1",
    instance = String(random.int(2 ** 31)),
    onNotice = () => {},
    onShedding = () => {},
    onDenied = () => {},
    onUse = () => {},
    onEndpointRemoved,
    onEndpointClosed = () => {},
    onHealth = () => {},
    onBreaker = () => {},
    healthProber: prober,
    timesStalls = false,
    timing = false,
  }: EngineOptions) {
    this.store = store;
    this.clock = clock;
    this.random = random;
    this.wheel = new TimerWheel(clock);
    this.sinks = new OutcomeSinks(clock);
    const isCalling = (): boolean => this.clusters.all().some(({ stats }) => stats.inFlight > 0);
    this.stalls = new LoopStalls(clock, () => this.#healthChecks.underWay || isCalling() || this.serving > 0);
    this.staleAnswers = new StaleAnswers(clock);
    this.#configWaitMs = configWaitMs;
    this.#onUse = onUse;
    this.#timesStalls = timesStalls;
    this.timing = timing;
    this.excludes = onlyObserves ? () => true : excludes;
    this.address = address;
    this.instance = instance;
    this.mirrors = new Mirrors(this, { address, notice: onNotice });
    this.rehearsal = new Rehearsal(this, excludes);
    this.onlyObserves = onlyObserves;
    this.inForce = !onlyObserves;
    const refreshMs = (): number => store.current?.mesh.dnsRefreshMs ?? DNS_REFRESH_MS;
    const names = new Names({ resolver, clock, random, refreshMs });
    const use = new ServiceUse(onUse);
    this.#use = use;
    const zones = new ClientZoneReader((service) => use.note(service, clock.now()));
    this.#healthChecks = new HealthChecks({ clock, random, stalls: this.stalls, prober, onHealth });
    this.clusters = new Clusters({
      clock,
      random,
      names,
      use,
      xxHash: this.xxHash,
      instance,
      clientZones: () => zones.read(store.current),
      onRemoved: (state) => onEndpointRemoved?.(state),
      onClosed: onEndpointClosed,
      healthChecks: this.#healthChecks,
      onHealth,
      onBreaker,
    });
    this.guard = new Guard({ clock, onlyObserves, onDenied, policyReady: () => store.ready(configWaitMs) });
    this.gate = new Gate({ clock, random, onShedding });
    if (store.current !== undefined) this.guard.update(store.current);
    this.#unsubscribe = store.subscribe((snapshot) => {
      this.inForce = !onlyObserves && snapshot.mode === "on";
      this.clusters.update(snapshot);
      this.guard.update(snapshot);
      this.gate.update(onlyObserves ? undefined : snapshot);
    });
  }

  observe(observer: CallObserver): void {
    this.#observers.push(observer);
  }

  /**
   * Whether a host is the mesh's business. Undefined: not known here, the adapter passes the request on untouched,
   * unless `refuses` says no.
   */
  lookup(host: string, port: number): VirtualHost | undefined {
    return this.store.current?.routes.lookup(host, port);
  }

  /** True while no snapshot is there yet: the adapter starts the call, which then waits for one. */
  get waiting(): boolean {
    return this.store.current === undefined;
  }

  /** Policy refuses hosts it does not know (REGISTRY_ONLY); asked for hosts that `lookup` does not find. */
  refuses(host: string, port: number): boolean {
    const snapshot = this.store.current;
    return snapshot?.mesh.outboundPolicy === "REGISTRY_ONLY" && !snapshot.routes.isOpaque(host, port);
  }

  /** Runs a call. Its exchange hears of everything that follows, perhaps before this returns. */
  start(call: Call): void {
    if (call.ended) return;
    call.engine = this;
    const now = this.clock.now();
    call.startedAt = now;
    call.readyAt = now;
    if (this.sinks.hearsBegins) this.sinks.began(call);
    const context = this.contexts.current();
    if (context !== undefined && this.inForce) {
      call.context = context;
      if (context.deadlineAt < call.deadlineAt) {
        call.deadlineAt = context.deadlineAt;
        call.deadlineInherited = true;
      }
    }
    if (call.tries !== undefined || context?.tries !== undefined) this.#follow(call, now);
    if (call.context !== undefined) countCall(call.context, call);
    if (call.deadlineAt !== Number.POSITIVE_INFINITY) {
      if (call.deadlineAt <= now) {
        this.trace(call);
        return call.onTimeout();
      }
      this.wheel.add(call, call.deadlineAt);
    }
    call.headers = withoutMeshHeaders(call.headers);
    const snapshot = this.store.current;
    if (snapshot === undefined) this.#waitForConfig(call, now);
    else this.#route(call, snapshot);
  }

  /** A further attempt of a call that was made in vain before. */
  #follow(call: Call, now: number): void {
    call.spent = triesBefore(call, now);
    if (call.spent > 0 && this.tracing !== undefined) call.repeats = spanBefore(call, now);
  }

  /** Called by the call itself, once. */
  ended(call: Call): void {
    const { cluster } = call;
    if (cluster === undefined) this.unrouted += 1;
    else cluster.stats.record(call);
    try {
      const hooks = call.stack?.callEnded;
      if (hooks !== undefined) for (const hook of hooks) hook(call);
      for (const observer of this.#observers) observer.callEnded(call);
    } catch (error) {
      throwLater(this.clock, error); // the caller must get its answer all the same
    }
    const { context } = call;
    const inVain = call.noRetry !== undefined || call.error !== undefined;
    if (inVain || call.attempts > 1 || call.tries !== undefined || context?.tries !== undefined) {
      noteTries(call, call.endedAt);
    }
    const record = new CallRecord(call).fill(this);
    this.recorder.add(record);
    const { attempt } = call;
    if (attempt?.tunnel === undefined) {
      call.forget();
      this.#report(record);
    } else this.#reportTunnel(record, call, attempt.tunnel);
  }

  /**
   * A call that left HTTP: its span ends with the answer, so that it can be seen while the connection lives; everybody else hears of it
   * when that is over, as of Envoy.
   */
  #reportTunnel(record: CallRecord, call: Call, tunnel: Tunnel): void {
    const later = new CallRecord(call).fill(this);
    call.forget();
    this.#endSpan(record);
    record.release();
    tunnel.over((by) => {
      later.requestBytes = tunnel.sentBytes;
      later.responseBytes = tunnel.receivedBytes;
      later.endsAt(this.clock.now());
      // Whoever ends it, Envoy has a flag for it, and no way to tell whether it was meant (seen with 1.40).
      later.flags |= by === "caller" ? FLAG.DC : FLAG.UC;
      later.details =
        by === "caller"
          ? "downstream_remote_disconnect"
          : "upstream_reset_after_response_started{connection_termination}";
      this.sinks.ended(later);
      later.release();
    });
  }

  /** Starts the span of a call that turns out to be the mesh's, once, in its caller's context. */
  trace(call: Call): void {
    const { tracing } = this;
    // Elsewhere the mesh adds nothing to a request: who else traces does so as without it.
    if (tracing === undefined || call.span !== undefined || !this.inForce) return;
    try {
      call.span = tracing.startCall(call);
    } catch (error) {
      throwLater(this.clock, error); // the call goes on without one
    }
  }

  #report(record: CallRecord): void {
    this.#endSpan(record);
    this.sinks.ended(record);
    record.release();
  }

  #endSpan(record: CallRecord): void {
    try {
      record.span?.end(record);
    } catch (error) {
      throwLater(this.clock, error);
    }
  }

  /** Counters of calls begin at zero: POST /reset_counters. What endpoints and limits are judged by stays. */
  resetCounters(): void {
    this.unrouted = 0;
    this.ruleStats.reset();
    for (const { stats } of this.clusters.all()) stats.reset();
  }

  /** The stages of a route in order, as the admin endpoint prints them. */
  describe(route: Route): readonly StageView[] {
    const { stages, attemptStages } = this.#stack(route);
    return [...ENTRY_ROLES, ...stages, ...EXIT_ROLES.slice(0, -1), ...attemptStages, ...EXIT_ROLES.slice(-1)];
  }

  /** A way that only picks and sends. @param route shown in errors */
  plainStack(route: Route): Stack {
    return compileStack([], route, this, this.#begin, send);
  }

  /** From here on it is known when this process stood still, where anybody wants to know it of everything (option `timesStalls`). */
  watchStalls(now: number): void {
    if (this.#timesStalls) this.stalls.watch(now);
  }

  /** Rules that are not told yet are wanted, though no call waits for them. */
  want(service: ServiceRef): void {
    this.#onUse(service);
  }

  close(): void {
    this.#unsubscribe();
    this.mirrors.close();
    this.stalls.close();
    this.guard.close();
    this.gate.close();
    this.clusters.close();
    this.#healthChecks.close();
    this.wheel.stop();
  }

  #route(call: Call, snapshot: Snapshot): void {
    call.snapshot = snapshot;
    const virtualHost = snapshot.routes.lookup(call.host, call.port);
    if (virtualHost === undefined) return this.#unknownHost(call, snapshot);
    if (virtualHost.pending !== undefined) return this.#waitForRules(call, virtualHost.pending, snapshot);
    this.trace(call);
    const { service } = virtualHost;
    if (service?.rulesOnUse !== undefined) this.#use.noteRules(service, call.readyAt);
    call.virtualHost = virtualHost;
    call.path = canonicalPath(call.path, snapshot);
    const route = virtualHost.find(call);
    if (route === undefined) return this.#noRoute(call, virtualHost);
    call.route = route;
    const stack = this.#stack(route);
    call.stack = stack;
    stack.run(call);
  }

  #unknownHost(call: Call, { mesh, routes }: Snapshot): void {
    if (mesh.outboundPolicy === "ALLOW_ANY" || routes.isOpaque(call.host, call.port)) return call.leave();
    this.trace(call);
    call.fail(
      new MeshError(
        "HOST_UNKNOWN",
        `"${call.host}" port ${call.port} is not in the registry and outboundTrafficPolicy is REGISTRY_ONLY. The call was not sent. Add a ServiceEntry for it, or see: inmesh services`,
      ),
    );
  }

  #noRoute(call: Call, { name, routes }: VirtualHost): void {
    const rules = routes.length === 1 ? "its only rule does not match" : `none of its ${routes.length} rules matches`;
    call.fail(
      new MeshError(
        "ROUTE_NOT_FOUND",
        `no route for ${requestLine(call)} on "${name}": ${rules}. The call was not sent. See: inmesh explain ${requestLine(call)}`,
      ),
    );
  }

  #stack(route: Route): Stack {
    const known = this.#stacks.get(route);
    if (known !== undefined) return known;
    const made = compileStack(OUTBOUND, route, this, this.#begin, send);
    this.#stacks.set(route, made);
    return made;
  }

  /** `pick`: every attempt chooses anew and holds what it chose until it is settled. */
  readonly #begin = (call: Call, number: number, next: AttemptNext, again = false): void => {
    const cluster = call.cluster!; // the destination stage ran, or nothing gets here
    const now = number === 1 && !call.replayed ? call.readyAt : this.clock.now(); // nothing has waited since
    const { limits, breakers, drops } = cluster;
    if (drops !== undefined && number === 1 && isDropped(call, cluster, drops)) return;
    // What keeps an attempt beside others from being made is no reason to give those up.
    const beside = call.hedge !== undefined && call.hedge.out.length > 0;
    const stopped = breakers?.stops(call, cluster, now);
    if (stopped !== undefined) return beside ? undefined : this.#stopped(call, number, next, stopped, now);
    if (limits.full) return beside ? undefined : call.fail(limits.overflow("requests", call, cluster.config));
    const state = cluster.acquire(call, now);
    if (state === undefined) return beside ? undefined : this.#lookUp(call, number, next, cluster, again);
    const stoppedThere = breakers?.stopsAt(state, call, now);
    if (stoppedThere !== undefined) {
      state.inFlight -= 1; // given back at once
      return beside ? undefined : this.#stopped(call, number, next, stoppedThere, now);
    }
    if (cluster.judges || this.#timesStalls) this.stalls.watch(now);
    limits.begin();
    const attempt = new Attempt(call, number, state, attemptHeaders(call, number, now), now);
    if (breakers !== undefined && !call.isCopy) breakers.take(attempt, now);
    call.attempt = attempt;
    if (number > call.attempts) call.attempts = number; // a replay comes again with its own
    const { hedging } = cluster.config.policy;
    if (hedging !== undefined || call.hedge !== undefined) hedge(call, attempt, hedging); // policy may change meanwhile
    next(attempt);
  };

  /** A breaker lets no attempt through. */
  #stopped(call: Call, number: number, next: AttemptNext, breaker: Breaker, now: number): void {
    breaker.refused += 1;
    const { fallback } = breaker.policy;
    if (fallback?.kind === "destination") {
      if (!call.isCopy && goElsewhere(call, fallback.destination, this)) return this.#begin(call, number, next);
    } else if (fallback !== undefined && answerInstead(call, fallback, this)) return;
    call.fail(breakerError(call, breaker, now));
  }

  /**
   * Nobody to send it to, at the moment at least.
   * @param again with nothing to wait for it has been tried already: whoever is said to be there is not for this call
   */
  #lookUp(call: Call, number: number, next: AttemptNext, cluster: ClusterRuntime, again: boolean): void {
    awaitEndpoint(call, cluster, this.clock, (waited) => {
      const now = this.clock.now();
      if (cluster.has(call) && (waited || !again)) {
        if (number === 1) call.readyAt = now;
        this.#begin(call, number, next, !waited);
      } else if (!this.#leaves(call, cluster)) call.fail(noEndpointError(call, cluster, now));
    });
  }

  /**
   * What the registry told meanwhile may be that the service has no such port, or that there is no such service: the host is
   * as unknown then as it is to the calls that come later.
   */
  #leaves(call: Call, cluster: ClusterRuntime): boolean {
    const newest = this.store.current;
    if (!cluster.closed || call.attempts > 0 || call.isCopy || newest === undefined) return false;
    if (newest.routes.lookup(call.host, call.port) !== undefined) return false;
    this.#unknownHost(call, newest);
    return true;
  }

  /** Rules of this host come as soon as somebody wants them: whose call finds none waits, as for the first snapshot. */
  #waitForRules(call: Call, wanted: ServiceRef, snapshot: Snapshot): void {
    const { clock } = this;
    const end = (): void => {
      unsubscribe();
      timer.cancel();
      call.cancelWait = undefined;
    };
    const timer = clock.hold(Math.max(0, Math.min(this.#configWaitMs, call.deadlineAt - clock.now())), () => {
      end();
      const { name } = snapshot.routes.lookup(call.host, call.port) ?? { name: call.host };
      const why = `the registry did not tell the rules of ${name} within ${this.#configWaitMs} ms`;
      call.fail(new MeshError("CONFIG_UNAVAILABLE", `${why}. The call was not sent. See: inmesh status`));
    });
    const unsubscribe = this.store.subscribe((next) => {
      if (next.routes.lookup(call.host, call.port)?.pending !== undefined) return;
      end();
      if (call.ended) return;
      call.readyAt = clock.now();
      this.#route(call, next);
    });
    call.cancelWait = end;
    this.#onUse(wanted);
  }

  #waitForConfig(call: Call, now: number): void {
    const controller = new AbortController();
    call.cancelWait = () => controller.abort();
    this.store.ready(Math.min(this.#configWaitMs, call.deadlineAt - now), controller.signal).then(
      (snapshot) => {
        call.cancelWait = undefined;
        if (call.ended) return;
        call.readyAt = this.clock.now();
        this.#route(call, snapshot);
      },
      (error: unknown) => {
        call.cancelWait = undefined;
        call.fail(error);
      },
    );
  }
}

/** An exchange that throws has a request it cannot send: the endpoint is not to blame, and trying again is no use. */
const send: AttemptNext = (attempt) => {
  const { call } = attempt;
  const { tracing } = call.engine;
  try {
    if (tracing === undefined || call.span === undefined) call.exchange.send(attempt);
    else tracing.quietly(() => call.exchange.send(attempt));
  } catch (error) {
    if (call.ended) throw error; // not about sending: whoever was told of the end threw
    call.fail(error);
  }
};
