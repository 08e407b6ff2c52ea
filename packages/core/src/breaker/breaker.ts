/**
 * One circuit breaker: closed lets attempts through and counts them, open refuses, half open lets probes through. opossum
 * decides when it opens and closes (opossum-switch.ts); the window, the wait and the probes are ours. It counts attempts, not
 * calls (pitfalls B10), and says what opened it and until when (B5).
 */

import type { BreakerPolicy } from "@inmesh/model";
import type { Attempt, Outcome } from "../call/attempt.js";
import type { Clock } from "../runtime/clock.js";
import { RollingCount } from "../stats/rolling-count.js";
import { loadOpossum, OpossumSwitch, type SwitchCounts } from "./opossum-switch.js";
import { ProbeGate } from "./probe-gate.js";

export type BreakerState = "closed" | "open" | "halfOpen";

/** How often breakers changed, whatever became of each of them since. */
export interface BreakerMoves {
  open: number;
  halfOpen: number;
  closed: number;
}

export interface BreakerOptions {
  readonly clock: Clock;
  /** What it stands for, in words: the cluster, `rule "x" of …`, `endpoint …`. */
  readonly name: string;
  /** Id of the endpoint that it stands for; empty for a cluster or a rule. @default "" */
  readonly endpoint?: string;
  /** Counts its changes with those of others. @default nobody does */
  readonly moves?: BreakerMoves | undefined;
  /** Told of each change, in words. */
  readonly onEvent: (message: string) => void;
}

/** Kinds of the window. */
const REQUESTS = 0;
const FAILURES = 1;
const SLOW = 2;

/** A probe that hangs is given up on after this long at least, in ms. */
const MIN_PATIENCE_MS = 1_000;

type Criterion = "failed" | "slow";

export class Breaker {
  readonly name: string;
  readonly endpoint: string;
  readonly #options: BreakerOptions;
  #policy: BreakerPolicy;
  #window: RollingCount;
  #state: BreakerState = "closed";
  /** Clock ms of the last change of state; attempts from before it say nothing of now. */
  since = 0;
  /** Clock ms at which the wait ends, when open. */
  until = 0;
  /** What opened it last, in words. */
  cause = "";
  /** How often it opened. */
  openings = 0;
  /** Attempts refused. */
  refused = 0;
  usedAt = 0;
  /** Nobody asks it any more; attempts that it let through may still be under way. */
  #over = false;
  #gate: ProbeGate | undefined;
  /** Made at the first failure. */
  #switches: Map<Criterion, OpossumSwitch> | undefined;

  constructor(policy: BreakerPolicy, options: BreakerOptions) {
    this.name = options.name;
    this.endpoint = options.endpoint ?? "";
    this.#options = options;
    this.#policy = policy;
    this.#window = new RollingCount(3, policy.windowMs, options.clock.now());
  }

  get policy(): BreakerPolicy {
    return this.#policy;
  }

  /** What policy changed holds from here on; what was seen stays, unless the window is another. */
  set policy(policy: BreakerPolicy) {
    if (policy.windowMs !== this.#policy.windowMs) {
      this.#window = new RollingCount(3, policy.windowMs, this.#options.clock.now());
    }
    this.#policy = policy;
    if (this.#state === "closed") this.#closeSwitches(); // made of the old thresholds; a verdict under way stands
  }

  /** As of `now`: an open one whose wait is over is half open, whether anybody has called it or not. */
  state(now: number): BreakerState {
    return this.#state === "open" && now >= this.until ? "halfOpen" : this.#state;
  }

  /** What the window holds, for display. */
  counts(now: number): { readonly requests: number; readonly failures: number; readonly slow: number } {
    const sum = (kind: number): number => this.#window.sum(kind, now);
    return { requests: sum(REQUESTS), failures: sum(FAILURES), slow: sum(SLOW) };
  }

  /** Probes of a half-open one, for display. */
  get probes(): { readonly out: number; readonly done: number; readonly failed: number } {
    const { out = 0, done = 0, failed = 0 } = this.#gate ?? {};
    return { out, done, failed };
  }

  /** Whether an attempt may go. It has a place only once it took one. */
  admits(now: number): boolean {
    return this.#state === "closed" || this.#admitsProbe(now);
  }

  /** An attempt that was admitted in this turn goes. */
  take(attempt: Attempt, now: number): void {
    this.usedAt = now;
    if (this.#gate === undefined) return;
    this.#gate.take(attempt);
    attempt.probe = true;
  }

  /** An attempt of it is over. */
  record(attempt: Attempt, outcome: Outcome, now: number): void {
    if (attempt.probe) return this.#recordProbe(attempt, outcome, now);
    if (this.#state !== "closed" || outcome === "neutral" || attempt.startedAt < this.since) return;
    this.#window.add(REQUESTS, now);
    const slow = this.#policy.slow !== undefined && this.#isSlow(attempt, now);
    if (slow || outcome === "failure") this.#count(outcome === "failure", slow, now);
  }

  /** Nothing of it remains in opossum's hands. */
  close(): void {
    this.#over = true;
    this.#closeSwitches();
  }

  // ---- closed ----

  #count(failed: boolean, slow: boolean, now: number): void {
    if (failed) this.#window.add(FAILURES, now);
    if (slow) this.#window.add(SLOW, now);
    if (!this.#over) this.#judge(failed, slow, now);
  }

  #judge(failed: boolean, slow: boolean, now: number): void {
    if (this.#window.sum(REQUESTS, now) < this.#policy.minRequests) {
      void loadOpossum().catch(() => {}); // it will be wanted soon
      return;
    }
    if (failed) this.#switch("failed")?.failed();
    if (slow) this.#switch("slow")?.failed();
  }

  #switch(criterion: Criterion): OpossumSwitch | undefined {
    const known = this.#switches?.get(criterion);
    if (known !== undefined) return known;
    const made = this.#make(criterion);
    if (made !== undefined) this.#keep(criterion, made);
    else this.#judgeLater();
    return made;
  }

  #make(criterion: Criterion, halfOpen = false): OpossumSwitch | undefined {
    const { minRequests, failureRatio, slow } = this.#policy;
    const options = {
      name: this.name,
      ratio: criterion === "failed" ? failureRatio : (slow?.ratio ?? 1),
      minimum: minRequests,
      counts: () => this.#counts(criterion),
      onOpen: () => this.#open(criterion),
      onClose: () => this.#closed(),
    };
    return OpossumSwitch.create(options, halfOpen);
  }

  /** The library is being loaded: what failed meanwhile is judged as soon as it is there. */
  #judgeLater(): void {
    loadOpossum().then(
      () => {
        const now = this.#options.clock.now();
        const { failures, slow } = this.counts(now);
        if (this.#state === "closed" && !this.#over) this.#judge(failures > 0, slow > 0, now);
      },
      (error: unknown) => {
        if (this.cause !== "") return;
        this.cause = `it cannot open: the package opossum could not be loaded (${String(error)})`;
        this.#options.onEvent(`${this.name}: ${this.cause}`);
      },
    );
  }

  #counts(criterion: Criterion): SwitchCounts {
    const now = this.#options.clock.now();
    const kind = criterion === "failed" ? FAILURES : SLOW;
    return { fires: this.#window.sum(REQUESTS, now), failures: this.#window.sum(kind, now) };
  }

  #isSlow({ headAt, startedAt, call, waitedMs }: Attempt, now: number): boolean {
    const { slow } = this.#policy;
    if (slow === undefined) return false;
    const answeredAt = headAt > 0 ? headAt : now;
    if (answeredAt - startedAt - waitedMs <= slow.slowerThanMs) return false;
    return !call.engine.stalls.spoilt(startedAt, answeredAt); // late here is not slow there
  }

  // ---- changes of state ----

  #open(criterion: Criterion): void {
    const now = this.#options.clock.now();
    const fromProbes = this.#gate;
    this.cause = fromProbes === undefined ? this.#causeNow(criterion, now) : probeCause(fromProbes, this.#policy);
    this.#state = "open";
    this.#gate = undefined;
    this.since = now;
    this.until = now + this.#policy.openMs;
    this.openings += 1;
    this.#moved("open");
    this.#closeSwitches();
    this.#window.clear(); // nothing is counted before it is closed again
    this.#options.onEvent(`${this.name} opened for ${this.#policy.openMs} ms: ${this.cause}`);
  }

  #closed(): void {
    const now = this.#options.clock.now();
    this.#state = "closed";
    this.#gate = undefined;
    this.since = now;
    this.#moved("closed");
    this.#closeSwitches();
    this.#options.onEvent(`${this.name} closed: its probes did well`);
  }

  #causeNow(criterion: Criterion, now: number): string {
    const { requests, failures, slow } = this.counts(now);
    const { failureRatio, slow: limit, windowMs } = this.#policy;
    const of = `of ${requests} attempts in ${windowMs} ms`;
    if (criterion === "failed") {
      return `${percent(failures / requests)} ${of} failed, more than ${percent(failureRatio)}`;
    }
    return `${percent(slow / requests)} ${of} took longer than ${limit?.slowerThanMs} ms, more than ${percent(limit?.ratio ?? 0)}`;
  }

  #moved(to: keyof BreakerMoves): void {
    const { moves } = this.#options;
    if (moves !== undefined) moves[to] += 1;
  }

  #closeSwitches(): void {
    for (const each of this.#switches?.values() ?? []) each.close();
    this.#switches = undefined;
  }

  #keep(criterion: Criterion, made: OpossumSwitch): void {
    this.#switches ??= new Map();
    this.#switches.set(criterion, made);
  }

  // ---- half open ----

  #admitsProbe(now: number): boolean {
    if (this.#state === "open") {
      if (now < this.until) return false;
      this.#halfOpen(now);
    }
    const gate = this.#gate!; // half open
    if (gate.free()) return true;
    for (const attempt of gate.overdue(now)) {
      // Its head is what it is judged by; without one it hangs.
      this.#recordProbe(attempt, attempt.headAt > 0 && attempt.status < 500 ? "success" : "failure", now);
    }
    return gate.free();
  }

  #halfOpen(now: number): void {
    const { probes, failureRatio, slow, openMs } = this.#policy;
    this.#state = "halfOpen";
    this.#moved("halfOpen");
    this.since = now;
    this.#gate = new ProbeGate({
      probes,
      failureRatio,
      slowRatio: slow?.ratio ?? 1,
      patienceMs: Math.max(openMs, MIN_PATIENCE_MS),
    });
    this.#options.onEvent(`${this.name} is half open: ${probes} probes decide`);
  }

  #recordProbe(attempt: Attempt, outcome: Outcome, now: number): void {
    const gate = this.#gate;
    attempt.probe = false;
    if (this.#over || gate === undefined || !gate.giveBack(attempt) || outcome === "neutral") return;
    const verdict = gate.count(outcome === "failure", this.#isSlow(attempt, now));
    if (verdict === undefined) return;
    const made = this.#make("failed", true)!; // loaded, or it would never have opened
    this.#keep("failed", made);
    if (verdict === "good") made.succeeded();
    else made.failed();
  }
}

function probeCause({ done, failed, slow }: ProbeGate, { failureRatio, probes }: BreakerPolicy): string {
  const bad =
    failed > failureRatio * probes ? `${failed} of ${done} probes failed` : `${slow} of ${done} probes were slow`;
  return `${bad}, too many of ${probes}`;
}

/** `60%`. */
function percent(ratio: number): string {
  return `${Math.round(ratio * 100)}%`;
}
