/**
 * The engine: takes calls from adapters, runs the part of the stack that every call shares, then its route's own.
 * One per mesh; holds all runtime state and no global one.
 */

import type { Route, Snapshot, VirtualHost } from "@inmesh/model";
import { Attempt } from "../call/attempt.js";
import type { Call } from "../call/call.js";
import { Contexts } from "../call/context.js";
import { Clusters } from "../cluster/clusters.js";
import type { EndpointState } from "../cluster/endpoint-state.js";
import { MeshError } from "../errors.js";
import { type Clock, systemClock } from "../runtime/clock.js";
import { type Random, systemRandom } from "../runtime/random.js";
import { TimerWheel } from "../runtime/timer-wheel.js";
import type { SnapshotStore } from "../snapshot/store.js";
import { LastCalls } from "../stats/last-calls.js";
import { attemptHeaders } from "./attempt-headers.js";
import { ENTRY_ROLES, EXIT_ROLES, OUTBOUND } from "./outbound.js";
import { type AttemptNext, compileStack, type Stack, type StageView } from "./stack.js";

export interface EngineOptions {
  readonly store: SnapshotStore;
  /** @default the system's */
  readonly clock?: Clock;
  /** @default the system's */
  readonly random?: Random;
  /** How long a call waits for the first snapshot, in ms. @default 5_000 */
  readonly configWaitMs?: number;
  /** An endpoint left the registry; transports close its connections when they fall idle. */
  readonly onEndpointRemoved?: (state: EndpointState) => void;
}

/** Hears about every call and attempt once they are over. Must not throw, wait or keep the objects' bodies. */
export interface CallObserver {
  callEnded(call: Call): void;
}

export class Engine {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: SnapshotStore;
  readonly wheel: TimerWheel;
  readonly contexts = new Contexts();
  readonly clusters: Clusters;
  readonly lastCalls = new LastCalls();
  /** Calls that never found a cluster: no route, unknown cluster, redirects, no configuration. */
  unrouted = 0;
  readonly #configWaitMs: number;
  readonly #stacks = new WeakMap<Route, Stack>();
  readonly #observers: CallObserver[] = [];
  readonly #unsubscribe: () => void;

  constructor({
    store,
    clock = systemClock,
    random = systemRandom,
    configWaitMs = 5_000,
    onEndpointRemoved,
  }: EngineOptions) {
    this.store = store;
    this.clock = clock;
    this.random = random;
    this.wheel = new TimerWheel(clock);
    this.#configWaitMs = configWaitMs;
    this.clusters = new Clusters({ clock, random, onRemoved: (state) => onEndpointRemoved?.(state) });
    this.#unsubscribe = store.subscribe((snapshot) => this.clusters.update(snapshot));
  }

  observe(observer: CallObserver): void {
    this.#observers.push(observer);
  }

  /**
   * Whether a host is the mesh's business. Undefined: not known here, the adapter passes the request on untouched,
   * unless `refuses` says that unknown hosts are refused.
   */
  lookup(host: string, port: number): VirtualHost | undefined {
    return this.store.current?.routes.lookup(host, port);
  }

  /** True while no snapshot is there yet: the adapter starts the call, which then waits for one. */
  get waiting(): boolean {
    return this.store.current === undefined;
  }

  /** Policy refuses hosts it does not know (REGISTRY_ONLY). */
  get refusesUnknown(): boolean {
    return this.store.current?.mesh.outboundPolicy === "REGISTRY_ONLY";
  }

  /** Runs a call. Its exchange hears of everything that follows, perhaps before this returns. */
  start(call: Call): void {
    call.engine = this;
    call.startedAt = this.clock.now();
    const context = this.contexts.current();
    if (context !== undefined) {
      call.context = context;
      if (context.deadlineAt < call.deadlineAt) {
        call.deadlineAt = context.deadlineAt;
        call.deadlineInherited = true;
        this.wheel.add(call, context.deadlineAt);
        if (context.deadlineAt <= call.startedAt) return call.onTimeout();
      }
    }
    const snapshot = this.store.current;
    if (snapshot === undefined) this.#waitForConfig(call);
    else this.#route(call, snapshot);
  }

  /** Called by the call itself, once. */
  ended(call: Call): void {
    const { cluster } = call;
    if (cluster === undefined) this.unrouted += 1;
    else cluster.stats.record(call);
    const hooks = call.stack?.callEnded;
    if (hooks !== undefined) for (const hook of hooks) hook(call);
    for (const observer of this.#observers) observer.callEnded(call);
    this.lastCalls.add(call);
  }

  deadlineError(call: Call): MeshError {
    const waitedMs = Math.round(this.clock.now() - call.startedAt);
    const tried =
      call.attempts === 0
        ? "no attempt was made"
        : `attempt ${call.attempts} to ${call.attempt?.endpoint.endpoint.id} was still out`;
    if (call.deadlineInherited) {
      return new MeshError(
        "DEADLINE_EXCEEDED",
        `${call.method} ${call.authority}${call.path} ran into the deadline of the inbound request after ${waitedMs} ms: ${tried}`,
        call.place,
      );
    }
    return new MeshError(
      "TIMEOUT",
      `${call.method} ${call.authority}${call.path} timed out after ${waitedMs} ms (rule "${call.route?.name}", timeout ${call.route?.timeoutMs} ms): ${tried}`,
      call.place,
    );
  }

  /** The stages of a route in order, as the admin endpoint prints them. */
  describe(route: Route): readonly StageView[] {
    return [...ENTRY_ROLES, ...this.#stack(route).stages, ...EXIT_ROLES];
  }

  close(): void {
    this.#unsubscribe();
    this.clusters.close();
  }

  #route(call: Call, snapshot: Snapshot): void {
    call.snapshot = snapshot;
    const virtualHost = snapshot.routes.lookup(call.host, call.port);
    if (virtualHost === undefined) {
      return call.fail(
        new MeshError(
          "HOST_UNKNOWN",
          `"${call.host}" is not in the registry and outboundTrafficPolicy is REGISTRY_ONLY. Add a ServiceEntry for it`,
        ),
      );
    }
    call.virtualHost = virtualHost;
    const route = virtualHost.find(call);
    if (route === undefined) {
      return call.fail(
        new MeshError(
          "ROUTE_NOT_FOUND",
          `no rule of ${virtualHost.name} matches ${call.method} ${call.path}. See: inmesh explain ${call.method} http://${call.authority}${call.path}`,
        ),
      );
    }
    call.route = route;
    const stack = this.#stack(route);
    call.stack = stack;
    stack.run(call);
  }

  #stack(route: Route): Stack {
    const known = this.#stacks.get(route);
    if (known !== undefined) return known;
    const made = compileStack(OUTBOUND, route, this, this.#begin, send);
    this.#stacks.set(route, made);
    return made;
  }

  /** `pick`: every attempt chooses anew and holds what it chose until it is settled. */
  readonly #begin = (call: Call, number: number, next: AttemptNext): void => {
    const cluster = call.cluster!; // the destination stage ran, or nothing gets here
    const now = this.clock.now();
    const state = cluster.acquire(call, now);
    if (state === undefined) {
      const { name } = cluster.config;
      return call.fail(
        new MeshError(
          "NO_ENDPOINT",
          `no endpoint for "${name}": the registry has none for it. The call was not sent. See: inmesh endpoints ${cluster.config.host}`,
          {
            cluster: name,
            ...(call.route && { route: call.route.name }),
          },
        ),
      );
    }
    const attempt = new Attempt(call, number, state, attemptHeaders(call, number, now), now);
    call.attempt = attempt;
    call.attempts = number;
    next(attempt);
  };

  #waitForConfig(call: Call): void {
    const controller = new AbortController();
    call.cancelWait = () => controller.abort();
    const waitMs = Math.min(this.#configWaitMs, Math.max(0, call.deadlineAt - this.clock.now()));
    this.store.ready(waitMs, controller.signal).then(
      (snapshot) => {
        call.cancelWait = undefined;
        if (call.ended) return;
        if (
          snapshot.routes.lookup(call.host, call.port) === undefined &&
          snapshot.mesh.outboundPolicy === "ALLOW_ANY"
        ) {
          return call.leave();
        }
        this.#route(call, snapshot);
      },
      (error: unknown) => {
        call.cancelWait = undefined;
        call.fail(error);
      },
    );
  }
}

const send: AttemptNext = (attempt) => attempt.call.exchange.send(attempt);
