/** Which endpoints of one cluster are well: what outlier detection and health checks found, and the choice that leaves. */

import type { Cluster } from "@inmesh/model";
import type { Attempt, Outcome } from "../call/attempt.js";
import type { EndpointState } from "../cluster/endpoint-state.js";
import { type Ejections, OutlierDetector } from "../outlier/outlier-detector.js";
import type { Random } from "../runtime/random.js";
import { type Choice, chooseAmong, nextChange, panicRatio } from "./choice.js";
import type { HealthChecks } from "./health-checks.js";
import { outReasons } from "./out-story.js";

export interface ClusterHealthOptions {
  readonly random: Random;
  readonly healthChecks: HealthChecks;
  /** An endpoint was ejected, or is in use again, in words. */
  readonly onHealth: (message: string) => void;
  /** `choose` is due. */
  readonly onChange: () => void;
}

/** Of nearly all clusters. */
const NOBODY: ReadonlySet<EndpointState> = new Set();

export class ClusterHealth {
  readonly #options: ClusterHealthOptions;
  #config: Cluster;
  /** Only where policy has outlierDetection. */
  #outliers: OutlierDetector | undefined;
  #choice: Choice = { usable: [], calm: [], permitted: [], panic: false };
  readonly ejections: Ejections = {};
  #changesAt = Number.POSITIVE_INFINITY;
  /** Being checked. */
  #checked = NOBODY;
  /** Told of as out. */
  #out = NOBODY;

  constructor(config: Cluster, now: number, options: ClusterHealthOptions) {
    this.#options = options;
    this.#config = config;
    const { outlier } = config.policy;
    this.#outliers = outlier && new OutlierDetector(outlier, now, options.random, this.ejections);
  }

  get choice(): Choice {
    return this.#choice;
  }

  /** Clock ms at which `choose` is due because time alone brings somebody back; Infinity when nobody is out. */
  get changesAt(): number {
    return this.#changesAt;
  }

  /** With a smaller share of healthy endpoints all are used. */
  get minHealthRatio(): number {
    return panicRatio(this.#config.policy.outlier);
  }

  /** @returns whether `choose` is due: only what the new policy says differently changes */
  update(config: Cluster, states: readonly EndpointState[], now: number): boolean {
    const before = this.#config.policy;
    this.#config = config;
    const { outlier, healthCheck, tls, connection } = config.policy;
    const checksAnew =
      healthCheck !== before.healthCheck || (healthCheck && (tls !== before.tls || connection !== before.connection));
    if (checksAnew) this.#check(states, new Set());
    if (outlier === before.outlier) return checksAnew === true;
    if (outlier !== undefined && this.#outliers !== undefined) {
      this.#outliers.update(outlier, states, now);
      return true;
    }
    this.#outliers = outlier && new OutlierDetector(outlier, now, this.#options.random, this.ejections);
    for (const state of states) {
      state.outlier = undefined;
      state.outlierUntil = 0;
    }
    return true;
  }

  /** Other endpoints than before: those that came are checked, if policy says so, those that left no more. */
  adopt(states: readonly EndpointState[]): void {
    if (this.#config.policy.healthCheck !== undefined || this.#checked.size > 0) this.#check(states, this.#checked);
  }

  /** Checks nobody any more. */
  close(): void {
    for (const state of this.#checked) this.#options.healthChecks.unwatch(state);
    this.#checked = NOBODY;
  }

  /** @param already being checked by this policy */
  #check(states: readonly EndpointState[], already: ReadonlySet<EndpointState>): void {
    const { healthChecks, onHealth, onChange } = this.#options;
    const { policy, name } = this.#config;
    const wanted = new Set(policy.healthCheck === undefined ? [] : states);
    let objection: string | undefined;
    for (const state of wanted) {
      if (!already.has(state)) objection = healthChecks.watch(state, this.#config, onChange) ?? objection;
    }
    for (const state of this.#checked) if (!wanted.has(state)) healthChecks.unwatch(state);
    this.#checked = wanted;
    if (objection !== undefined) onHealth(`endpoints of ${name} are not checked as policy asks: ${objection}`);
  }

  /** An attempt ended. @returns whether `choose` is due */
  record(attempt: Attempt, outcome: Outcome, states: readonly EndpointState[], now: number): boolean {
    return this.#outliers?.record(attempt, outcome, states, now) ?? false;
  }

  /** Who may be picked. To be asked whenever somebody came, went or changed. */
  choose(states: readonly EndpointState[], now: number): Choice {
    const before = this.#choice;
    this.#choice = chooseAmong(states, now, this.minHealthRatio);
    this.#changesAt = nextChange(states, now);
    if (this.#out.size > 0 || this.#choice.permitted !== states || this.#choice.panic) this.#tell(before, states, now);
    return this.#choice;
  }

  /** The log has a line for everybody that went out or came back, and for panics. */
  #tell({ panic: before }: Choice, states: readonly EndpointState[], now: number): void {
    const { onHealth } = this.#options;
    const { panic } = this.#choice;
    const { name } = this.#config;
    const out = new Set(states.filter((state) => !state.healthy(now)));
    for (const state of out) {
      if (!this.#out.has(state)) onHealth(`${state.endpoint.id} of ${name} is out: ${outReasons(state, now)}`);
    }
    for (const state of this.#out) {
      if (!out.has(state) && !state.removed) onHealth(`${state.endpoint.id} of ${name} is in use again`);
    }
    this.#out = out;
    if (panic === before) return;
    const share = `${states.length - out.size} of ${states.length} endpoints of ${name} are well`;
    const used =
      this.#config.policy.locality?.kind === "failover" ? "ranks with too few of them use all" : "all are used";
    onHealth(panic ? `only ${share}: ${used}` : `${share}: the others are left out again`);
  }
}
