/**
 * Outlier detection of one cluster, as Envoy's (policy-semantics §2.6; envoy-sequences.ts is what the real one did): endpoints
 * that fail several times in a row are left out for a while.
 *
 * Nothing runs by itself. Envoy sweeps once in `intervalMs`: that ends ejections, and takes one off the number of ejections
 * of who is in use. Both follow from the time alone and are worked out when somebody asks.
 */

import type { OutlierPolicy } from "@inmesh/model";
import type { Attempt, Outcome } from "../call/attempt.js";
import type { EndpointState } from "../cluster/endpoint-state.js";
import { MeshError } from "../errors.js";
import type { Random } from "../runtime/random.js";
import { EndpointOutlier, type Tally } from "./endpoint-outlier.js";
import { judgeRates } from "./rates.js";

/** What makes an endpoint one to leave out. */
export const EJECTION_REASONS = [
  "consecutive_5xx",
  "gateway",
  "local_origin",
  "success_rate",
  "failure_percentage",
] as const;
export type EjectionReason = (typeof EJECTION_REASONS)[number];
/** How often; those that never came up are left out. */
export type Ejections = { [Reason in EjectionReason]?: number };

const NO_STATUSES: ReadonlySet<number> = new Set();

function statusesOf({ errorStatuses }: OutlierPolicy): ReadonlySet<number> {
  return errorStatuses.length === 0 ? NO_STATUSES : new Set(errorStatuses);
}

export class OutlierDetector {
  readonly #random: Random;
  readonly #ejections: Ejections;
  #policy: OutlierPolicy;
  #errorStatuses: ReadonlySet<number>;
  /** Clock ms of a sweep; the others are whole intervals away. */
  #origin: number;
  /** Clock ms of the sweep that judges rates next; Infinity where none are judged. */
  #ratesAt: number;

  /** @param ejections counts on, where another one left off */
  constructor(policy: OutlierPolicy, now: number, random: Random, ejections: Ejections = {}) {
    this.#ejections = ejections;
    this.#random = random;
    this.#policy = policy;
    this.#errorStatuses = statusesOf(policy);
    this.#origin = now;
    this.#ratesAt = this.#nextRates(now);
  }

  /** Another policy for the same endpoints: who is out stays out, until the new one says. */
  update(policy: OutlierPolicy, states: readonly EndpointState[], now: number): void {
    for (const { outlier, outlierUntil } of states) {
      if (outlier !== undefined && outlierUntil <= now) this.#forgive(outlier, now);
    }
    this.#policy = policy;
    this.#errorStatuses = statusesOf(policy);
    this.#origin = now;
    this.#ratesAt = this.#nextRates(now);
    for (const state of states) if (state.outlierUntil > now) this.#setEnd(state);
  }

  /**
   * An attempt ended.
   * @param states all endpoints of the cluster
   * @returns whether one of them was ejected now
   */
  record(
    { endpoint, status, meant, sent, error }: Attempt,
    outcome: Outcome,
    states: readonly EndpointState[],
    now: number,
  ): boolean {
    const { splitsLocalErrors } = this.#policy;
    let out = now >= this.#ratesAt && this.#sweep(states, now);
    if (status > 0) {
      if (!this.#isError(meant)) this.#succeeded(endpoint);
      else if (this.#failed(endpoint, isGatewayError(meant), states, now)) out = true;
    }
    // It was connected: as Envoy, that alone ends the row of local failures, whatever becomes of the request.
    if (sent && splitsLocalErrors) this.#arrived(endpoint);
    if (outcome === "failure" && (status === 0 || isTruncation(error))) {
      const failed = splitsLocalErrors
        ? this.#failedLocally(endpoint, states, now)
        : this.#failed(endpoint, true, states, now); // Envoy makes a 503 or 504 of it
      if (failed) out = true;
    }
    return out;
  }

  #isError(status: number): boolean {
    return this.#errorStatuses.size === 0 ? status >= 500 && status < 600 : this.#errorStatuses.has(status);
  }

  #succeeded(endpoint: EndpointState): void {
    const outlier = this.#ratesAt === Number.POSITIVE_INFINITY ? endpoint.outlier : recordOf(endpoint);
    if (outlier === undefined) return;
    outlier.errors = 0;
    outlier.gatewayErrors = 0;
    outlier.answers.all += 1;
    outlier.answers.good += 1;
  }

  #arrived(endpoint: EndpointState): void {
    const outlier = this.#ratesAt === Number.POSITIVE_INFINITY ? endpoint.outlier : recordOf(endpoint);
    if (outlier === undefined) return;
    outlier.localErrors = 0;
    outlier.arrivals.all += 1;
    outlier.arrivals.good += 1;
  }

  #failed(state: EndpointState, gateway: boolean, states: readonly EndpointState[], now: number): boolean {
    const { consecutiveErrors, consecutiveGatewayErrors } = this.#policy;
    const outlier = recordOf(state);
    outlier.answers.all += 1;
    if (state.outlierUntil > now) return false;
    this.#readmitted(state, outlier);
    outlier.errors += 1;
    outlier.gatewayErrors = gateway ? outlier.gatewayErrors + 1 : 0;
    if (consecutiveGatewayErrors > 0 && outlier.gatewayErrors >= consecutiveGatewayErrors) {
      outlier.gatewayErrors = 0;
      const reason = `${inARow(consecutiveGatewayErrors)} with 502, 503, 504 or no answer`;
      if (this.#eject(state, outlier, "gateway", reason, states, now)) return true;
    }
    if (consecutiveErrors === 0 || outlier.errors < consecutiveErrors) return false;
    outlier.errors = 0;
    return this.#eject(state, outlier, "consecutive_5xx", `${inARow(consecutiveErrors)} failed`, states, now);
  }

  #failedLocally(state: EndpointState, states: readonly EndpointState[], now: number): boolean {
    const { consecutiveLocalErrors } = this.#policy;
    const outlier = recordOf(state);
    outlier.arrivals.all += 1;
    if (state.outlierUntil > now) return false;
    this.#readmitted(state, outlier);
    outlier.localErrors += 1;
    if (consecutiveLocalErrors === 0 || outlier.localErrors < consecutiveLocalErrors) return false;
    outlier.localErrors = 0;
    return this.#eject(
      state,
      outlier,
      "local_origin",
      `${inARow(consecutiveLocalErrors)} without an answer`,
      states,
      now,
    );
  }

  /** Whether it may be, by the share of those that are out already. Rounded down, as Envoy: 10 % of 9 endpoints is none. */
  #eject(
    state: EndpointState,
    outlier: EndpointOutlier,
    kind: EjectionReason,
    reason: string,
    states: readonly EndpointState[],
    now: number,
  ): boolean {
    const { maxEjectionRatio, ejectsOne = false, baseEjectionMs, maxEjectionMs } = this.#policy;
    let out = 0;
    for (const { outlierUntil } of states) if (outlierUntil > now) out += 1;
    if ((out + 1) / states.length > maxEjectionRatio && !(ejectsOne && out === 0)) {
      outlier.spared += 1;
      return false;
    }
    this.#forgive(outlier, now);
    outlier.forgive();
    // No higher than what makes a difference, or nearly: Envoy's rule.
    if (outlier.times * baseEjectionMs < maxEjectionMs + baseEjectionMs) outlier.times += 1;
    outlier.ejections += 1;
    this.#ejections[kind] = (this.#ejections[kind] ?? 0) + 1;
    outlier.ejectedAt = now;
    outlier.reason = reason;
    this.#setEnd(state);
    return true;
  }

  /** The first sweep by which it has been out for long enough. */
  #setEnd(state: EndpointState): void {
    const outlier = recordOf(state);
    const { baseEjectionMs, maxEjectionMs, intervalMs } = this.#policy;
    const enough = outlier.ejectedAt + Math.min(Math.max(outlier.times, 1) * baseEjectionMs, maxEjectionMs);
    state.outlierUntil = this.#origin + Math.max(0, Math.ceil((enough - this.#origin) / intervalMs)) * intervalMs;
    outlier.readmittedAt = state.outlierUntil;
  }

  /** What it failed while it was out, in a panic, is over. */
  #readmitted(state: EndpointState, outlier: EndpointOutlier): void {
    if (state.outlierUntil === 0) return;
    state.outlierUntil = 0;
    outlier.forgive();
  }

  /** Takes off what the sweeps up to `now` forgave. */
  #forgive(outlier: EndpointOutlier, now: number): void {
    if (outlier.times === 0) return;
    const sweeps = this.#sweepsBy(now) - this.#sweepsBy(outlier.readmittedAt);
    outlier.times = Math.max(0, outlier.times - sweeps);
    outlier.readmittedAt = now;
  }

  #sweepsBy(at: number): number {
    return Math.floor((at - this.#origin) / this.#policy.intervalMs + 1e-6); // times of sweeps are sums of fractions
  }

  #nextRates(now: number): number {
    const { successRate, failureShare, intervalMs } = this.#policy;
    if (successRate === undefined && failureShare === undefined) return Number.POSITIVE_INFINITY;
    return this.#origin + (this.#sweepsBy(now) + 1) * intervalMs;
  }

  /** Judges what was answered since the last one. Late when nobody called, but then nothing came of it meanwhile. */
  #sweep(states: readonly EndpointState[], now: number): boolean {
    this.#ratesAt = this.#nextRates(now);
    let ejected = false;
    const judge = (tally: (state: EndpointState) => Tally | undefined): void => {
      for (const { state, kind, reason, enforcedRatio } of judgeRates(this.#policy, states, tally)) {
        if (state.outlierUntil > now || (enforcedRatio < 1 && this.#random.next() >= enforcedRatio)) continue;
        const outlier = recordOf(state);
        this.#readmitted(state, outlier);
        if (this.#eject(state, outlier, kind, reason, states, now)) ejected = true;
      }
    };
    judge(({ outlier }) => outlier?.answers);
    if (this.#policy.splitsLocalErrors) judge(({ outlier }) => outlier?.arrivals);
    for (const { outlier } of states) {
      if (outlier !== undefined)
        for (const tally of [outlier.answers, outlier.arrivals]) Object.assign(tally, { all: 0, good: 0 });
    }
    return ejected;
  }
}

function recordOf(state: EndpointState): EndpointOutlier {
  state.outlier ??= new EndpointOutlier();
  return state.outlier;
}

function isGatewayError(status: number): boolean {
  return status >= 502 && status <= 504;
}

/** The answer began and broke off. One that only took too long is judged by its beginning, as Envoy does. */
function isTruncation(error: unknown): boolean {
  return error instanceof MeshError && error.code === "RESPONSE_TRUNCATED";
}

function inARow(attempts: number): string {
  return attempts === 1 ? "1 attempt" : `${attempts} attempts in a row`;
}
