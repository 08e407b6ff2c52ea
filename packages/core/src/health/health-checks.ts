/**
 * Active health checks: endpoints of clusters in use are asked whether they are well, each in its own interval. One timer for
 * all of them, and none where nothing is checked.
 *
 * Apart from outlier detection (pitfalls L2): neither knows what the other found, and maxEjectionPercent is no limit here.
 * Differs: Envoy takes a new endpoint into use after its first good check; here it is in use until checks say otherwise.
 */

import { AsyncResource } from "node:async_hooks";
import type { Cluster, HealthCheckPolicy } from "@inmesh/model";
import type { EndpointState } from "../cluster/endpoint-state.js";
import type { Clock, Timer } from "../runtime/clock.js";
import type { LoopStalls } from "../runtime/loop-stalls.js";
import type { Random } from "../runtime/random.js";
import { EndpointHealth } from "./endpoint-health.js";
import type { HealthFinding, HealthProbe, HealthProber } from "./health-prober.js";

/** The timer comes no oftener: what is due within as much is asked together. In ms. */
const STEP_MS = 50;
/** The first check comes within this, or within the interval if that is shorter. In ms. */
const FIRST_WITHIN_MS = 1_000;
/** Intervals are up to this much longer or shorter, so that processes do not ask in step. */
const JITTER = 0.1;

export interface HealthChecksOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly stalls: LoopStalls;
  /** @default nothing is checked, and that is said */
  readonly prober: HealthProber | undefined;
  readonly onHealth: (message: string) => void;
}

interface Watched {
  readonly policy: HealthCheckPolicy;
  readonly probe: HealthProbe;
  readonly changed: () => void;
  dueAt: number;
  /** Gives up the check that is under way. */
  cancel: (() => void) | undefined;
}

export class HealthChecks {
  readonly #options: HealthChecksOptions;
  readonly #watched = new Map<EndpointState, Watched>();
  /** The first call's async context is not to live as long as the checks do. */
  readonly #nobodys = new AsyncResource("INMESH_HEALTH_CHECKS");
  #timer: Timer | undefined;
  #armedFor = Number.POSITIVE_INFINITY;

  constructor(options: HealthChecksOptions) {
    this.#options = options;
  }

  /**
   * Begins to check an endpoint, or does so by a new policy.
   * @param changed called when `state.unhealthy` did
   * @returns why it cannot be checked, in words; undefined when it is
   */
  watch(state: EndpointState, cluster: Cluster, changed: () => void): string | undefined {
    const policy = cluster.policy.healthCheck!; // the caller looked
    const { prober, clock, random } = this.#options;
    this.#stop(state);
    const probe = prober?.open({ of: state, cluster }) ?? "this transport makes none";
    if (typeof probe === "string") {
      this.unwatch(state);
      return probe;
    }
    state.health ??= new EndpointHealth();
    const dueAt = clock.now() + random.next() * Math.min(policy.intervalMs, FIRST_WITHIN_MS);
    this.#watched.set(state, { policy, probe, changed, dueAt, cancel: undefined });
    this.#arm(dueAt);
    return undefined;
  }

  /** Nothing is known of it any more. */
  unwatch(state: EndpointState): void {
    this.#stop(state);
    state.health = undefined;
    state.unhealthy = false;
  }

  /** Somebody is being asked now. */
  get underWay(): boolean {
    for (const { cancel } of this.#watched.values()) if (cancel !== undefined) return true;
    return false;
  }

  close(): void {
    for (const state of [...this.#watched.keys()]) this.#stop(state);
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #stop(state: EndpointState): void {
    const watched = this.#watched.get(state);
    if (watched === undefined) return;
    this.#watched.delete(state);
    watched.cancel?.();
    watched.probe.close();
  }

  #arm(dueAt: number): void {
    if (dueAt >= this.#armedFor) return;
    const { clock } = this.#options;
    this.#timer?.cancel();
    this.#armedFor = dueAt;
    const tick = (): void => this.#nobodys.runInAsyncScope(() => this.#tick());
    this.#timer = this.#nobodys.runInAsyncScope(() => clock.after(Math.max(dueAt - clock.now(), STEP_MS), tick));
  }

  #tick(): void {
    const now = this.#options.clock.now();
    this.#timer = undefined;
    this.#armedFor = Number.POSITIVE_INFINITY;
    let next = Number.POSITIVE_INFINITY;
    for (const [state, watched] of this.#watched) {
      if (watched.dueAt <= now) this.#check(state, watched, now);
      next = Math.min(next, watched.dueAt);
    }
    if (next < Number.POSITIVE_INFINITY) this.#arm(next);
  }

  #check(state: EndpointState, watched: Watched, now: number): void {
    const { clock, random, stalls } = this.#options;
    const { policy, probe } = watched;
    watched.dueAt = now + policy.intervalMs * (1 + JITTER * (2 * random.next() - 1));
    if (watched.cancel !== undefined) return; // the last one is still under way: a timeout longer than the interval
    stalls.watch(now);
    let over = false;
    const end = (finding: HealthFinding): void => {
      if (over) return;
      over = true;
      timer.cancel();
      watched.cancel = undefined;
      this.#found(state, watched, finding, now);
    };
    let stop = (): void => {};
    const timer = clock.after(policy.timeoutMs, () => {
      stop();
      end({ well: false, found: `no answer within ${policy.timeoutMs} ms` });
    });
    watched.cancel = () => {
      over = true;
      timer.cancel();
      stop();
    };
    stop = probe.ask(end);
  }

  #found(state: EndpointState, { policy, changed }: Watched, { well, found }: HealthFinding, startedAt: number): void {
    const { clock, stalls } = this.#options;
    const now = clock.now();
    const health = state.health!; // it is watched
    if (!well && stalls.spoilt(startedAt, now)) return; // perhaps it is us (pitfalls L10)
    health.checks += 1;
    health.checkedAt = now;
    health.found = found;
    health.successes = well ? health.successes + 1 : 0;
    health.failures = well ? 0 : health.failures + 1;
    if (state.unhealthy ? health.successes < policy.healthyThreshold : health.failures < policy.unhealthyThreshold)
      return;
    state.unhealthy = !state.unhealthy;
    health.unhealthySince = state.unhealthy ? now : -1;
    if (!state.unhealthy) state.since = now; // as good as new: where policy has newcomers warm up, so does it
    changed();
  }
}
