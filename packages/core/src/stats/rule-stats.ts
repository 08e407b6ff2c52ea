/** Counters that rules ask for by a name of their own (`match[].statPrefix`), beside those of the clusters. */

import { CallStats, type CallStatsReading } from "./call-stats.js";

export interface RuleStatsReading {
  /** Virtual host of the rule, `reviews.shop.svc.cluster.local:80`. */
  readonly host: string;
  readonly statPrefix: string;
  readonly stats: CallStatsReading;
}

/** Names kept at a time; policy that changes them for ever must not grow a process. The oldest leaves. */
const MOST = 1_000;

export class RuleStats {
  readonly #byName = new Map<
    string,
    { readonly host: string; readonly statPrefix: string; readonly stats: CallStats }
  >();

  /** The same counters for the same names, whatever snapshot the rule is of. */
  of(host: string, statPrefix: string): CallStats {
    const key = `${host} ${statPrefix}`;
    const known = this.#byName.get(key);
    if (known !== undefined) return known.stats;
    if (this.#byName.size >= MOST) this.#byName.delete(this.#byName.keys().next().value!); // full, so not empty
    const stats = new CallStats();
    this.#byName.set(key, { host, statPrefix, stats });
    return stats;
  }

  reset(): void {
    for (const { stats } of this.#byName.values()) stats.reset();
  }

  read(): readonly RuleStatsReading[] {
    return [...this.#byName.values()].map(({ host, statPrefix, stats }) => ({ host, statPrefix, stats: stats.read() }));
  }
}
