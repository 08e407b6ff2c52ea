/** What flows between services in an interval: the difference of two readings of every process's counters. */

import type { OutboundStats, StatsView } from "@inmesh/core/admin";
import { quantileOfCells } from "@inmesh/core/internal";

/** Counters of every process at one moment, by lease name. */
export type Readings = ReadonlyMap<string, StatsView>;

export interface Edge {
  readonly from: string;
  readonly to: string;
  readonly requestsPerSecond: number;
  /** 0–1; undefined when nothing ended in the interval. */
  readonly success: number | undefined;
  /** 0 when nothing ended. */
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  /** Attempts beyond the first per call. */
  readonly retries: number;
  /** Attempts by the version that got them, 0–1, sorted by version; instances without a version are left out. */
  readonly versions: readonly { readonly version: string; readonly share: number }[];
}

interface Sum {
  readonly from: string;
  readonly to: string;
  calls: number;
  successes: number;
  failures: number;
  retries: number;
  perSecond: number;
  readonly cells: number[];
  readonly versions: Map<string, number>;
}

/** Sorted by caller and callee. A process that is new counts from its start; one that is gone no longer counts. */
export function edgesBetween(before: Readings, after: Readings): Edge[] {
  const sums = new Map<string, Sum>();
  for (const [lease, now] of after) {
    const then = before.get(lease);
    // A process clock begins with the process: one that is new to us has counted for that long.
    const ms = then === undefined ? Math.max(now.atMs, firstIntervalMs(before, after)) : now.atMs - then.atMs;
    const seconds = ms / 1_000;
    if (!(seconds > 0)) continue;
    const earlier = new Map(then?.outbound.map((entry) => [entry.cluster, entry]));
    for (const entry of now.outbound) addDifference(sums, now.service, entry, earlier.get(entry.cluster), seconds);
  }
  return [...sums.values()]
    .map(edgeOf)
    .sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : a.to < b.to ? -1 : 1));
}

/** `reviews` of `reviews.shop.svc.cluster.local`; other hosts in full. */
export function shortHost(host: string): string {
  return /^([^.]+)\.[^.]+\.svc\./.exec(host)?.[1] ?? host;
}

/** How long the interval was for the processes that were there all the time, in ms. */
function firstIntervalMs(before: Readings, after: Readings): number {
  for (const [lease, now] of after) {
    const then = before.get(lease);
    if (then !== undefined) return now.atMs - then.atMs;
  }
  return 1_000;
}

function addDifference(
  sums: Map<string, Sum>,
  from: string,
  now: OutboundStats,
  then: OutboundStats | undefined,
  seconds: number,
): void {
  const to = shortHost(now.host);
  const key = `${from} ${to}`;
  let sum = sums.get(key);
  if (sum === undefined) {
    sum = { from, to, calls: 0, successes: 0, failures: 0, retries: 0, perSecond: 0, cells: [], versions: new Map() };
    sums.set(key, sum);
  }
  const calls = now.stats.calls - (then?.stats.calls ?? 0);
  sum.calls += calls;
  sum.perSecond += calls / seconds;
  sum.successes += now.stats.successes - (then?.stats.successes ?? 0);
  sum.failures += now.stats.failures - (then?.stats.failures ?? 0);
  sum.retries += now.stats.retries - (then?.stats.retries ?? 0);
  now.cells.forEach((count, cell) => {
    sum.cells[cell] = (sum.cells[cell] ?? 0) + count - (then?.cells[cell] ?? 0);
  });
  const earlier = new Map(then?.endpoints.map(({ id, attempts }) => [id, attempts]));
  for (const { id, version, attempts } of now.endpoints) {
    if (version === "") continue;
    // An address that went and came back counts anew, so its counter may be smaller than before.
    const more = attempts - (earlier.get(id) ?? 0);
    sum.versions.set(version, (sum.versions.get(version) ?? 0) + (more < 0 ? attempts : more));
  }
}

function edgeOf({ from, to, calls, successes, failures, retries, perSecond, cells, versions }: Sum): Edge {
  const attempts = [...versions.values()].reduce((sum, count) => sum + count, 0);
  return {
    from,
    to,
    requestsPerSecond: perSecond,
    // A caller that gave up says nothing about the service.
    success: successes + failures === 0 ? undefined : successes / (successes + failures),
    p50Ms: quantileOfCells(cells, 0.5),
    p95Ms: quantileOfCells(cells, 0.95),
    p99Ms: quantileOfCells(cells, 0.99),
    retries: calls === 0 ? 0 : retries / calls,
    versions: [...versions]
      .filter(([, count]) => count > 0)
      .map(([version, count]) => ({ version, share: count / attempts }))
      .sort((a, b) => (a.version < b.version ? -1 : 1)),
  };
}
