/** How the processes that call a service stand with the limits, circuit breakers, retries and balancing of its policy. */

import type { Lease } from "@inmesh/core";
import {
  type BalancerView,
  type BreakerView,
  type ClustersView,
  type ClusterView,
  type LimitsView,
  outText,
} from "@inmesh/core/admin";
import type { Snapshot } from "@inmesh/model";
import { clusterName } from "@inmesh/model";
import type { AdminClient } from "../live/admin-client.js";
import { processName, readProcesses } from "../live/processes.js";

/** One cluster of one process that called it. */
export interface DescribedCaller {
  readonly name: string;
  readonly port: number;
  readonly subset: string;
  readonly limits: LimitsView | null;
  readonly breakers: readonly BreakerView[];
  /** Where policy has retries by rate or hedging. */
  readonly repeats: RepeatsView | null;
  /** Where its policy has more than a strategy: hashes, localities, a subset. */
  readonly balancing: BalancerView | null;
  /** Once a certificate stood between it and an endpoint. */
  readonly peers: PeersView | null;
  /** While some endpoint gets no calls from it. */
  readonly health: CallerHealth | null;
}

export interface CallerHealth {
  readonly endpoints: number;
  readonly usable: number;
  /** So few are well that all are used. */
  readonly panic: boolean;
  /** Who is out and why. */
  readonly out: readonly { readonly id: string; readonly reasons: readonly string[] }[];
}

/** Attempts since start. */
export interface PeersView {
  /** Whose endpoint was somebody else (WRONG_PEER). */
  readonly wrong: number;
  /** That ended as if the endpoint refused the certificate of the caller. */
  readonly rejections: number;
}

/** Attempts beyond the first of each call. */
export interface RepeatsView {
  /** That the rate leaves; null without a rate. */
  readonly left: number | null;
  /** Since start: made, those among them that were hedges, and those that the rate kept back. */
  readonly made: number;
  readonly hedges: number;
  readonly keptBack: number;
}

/** Where policy has nothing of the kind no process is asked. */
export async function describeCallers(
  snapshot: Snapshot,
  { host, ports }: { readonly host: string; readonly ports: readonly { readonly number: number }[] },
  subsets: readonly string[],
  leases: readonly Lease[],
  client: AdminClient,
): Promise<readonly DescribedCaller[]> {
  const guarded = ports.some(({ number }) =>
    ["", ...subsets].some((subset) => {
      const { limits, retryBudget, breaker, retryRate, hedging, hash, locality, subsetSize, outlier, healthCheck } =
        snapshot.cluster(clusterName(number, subset, host))?.policy ?? {};
      const spread = [hash, locality, subsetSize];
      return [limits, retryBudget, breaker, retryRate, hedging, outlier, healthCheck, ...spread].some(
        (part) => part !== undefined,
      );
    }),
  );
  if (!guarded) return [];
  const asked = leases.filter(({ admin }) => admin !== undefined);
  const readings = await readProcesses<ClustersView>(client, asked, "/clusters", ["clusters"]);
  return readings.flatMap(({ lease, view }) =>
    (view?.clusters ?? [])
      .filter((cluster) => cluster.host === host)
      .map((cluster) => callerOf(processName(lease), cluster, hedges(snapshot, cluster))),
  );
}

function hedges(snapshot: Snapshot, { port, subset, host }: ClusterView): boolean {
  return snapshot.cluster(clusterName(port, subset, host))?.policy.hedging !== undefined;
}

/** A process of an older version says nothing of all this. */
function callerOf(name: string, cluster: ClusterView, hedged: boolean): DescribedCaller {
  const { port, subset, limits, breakers, retriesLeft, stats, balancing } = cluster;
  const repeats = {
    left: retriesLeft === undefined ? null : Math.floor(retriesLeft),
    made: stats?.retries ?? 0,
    hedges: stats?.hedges ?? 0,
    keptBack: stats?.noRetry?.retry_rate ?? 0,
  };
  const tells = hedged || retriesLeft !== undefined;
  return {
    ...{ name, port, subset, limits: limits ?? null, breakers: breakers ?? [] },
    repeats: tells ? repeats : null,
    balancing: balancing ?? null,
    peers: peersOf(stats),
    health: healthOf(cluster),
  };
}

function peersOf(stats: ClusterView["stats"] | undefined): PeersView | null {
  const { wrongPeers = 0, rejections = 0 } = stats ?? {};
  return wrongPeers + rejections === 0 ? null : { wrong: wrongPeers, rejections };
}

function healthOf({ endpoints = [], usable, panic }: ClusterView): CallerHealth | null {
  const out = endpoints.flatMap(({ id, out: reasons = [] }) =>
    reasons.length === 0 ? [] : [{ id, reasons: reasons.map(outText) }],
  );
  if (out.length === 0 || usable === undefined) return null;
  return { endpoints: endpoints.length, usable, panic: panic === true, out };
}
