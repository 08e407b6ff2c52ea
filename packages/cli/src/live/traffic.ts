/** Two readings of every process's counters, and what happened between them. */

import { type Clock, type Lease, sleep } from "@inmesh/core";
import {
  type Secured,
  SecuritySums,
  type StatsView,
  type Traffic,
  TrafficSums,
  type WouldReading,
} from "@inmesh/core/admin";
import type { AdminClient } from "./admin-client.js";
import { busier, busyRatio } from "./busy.js";
import { type Reading, readProcesses } from "./processes.js";
import { addWould } from "./would.js";

export type { Traffic } from "@inmesh/core/admin";

export interface EdgeTraffic extends Traffic {
  readonly secured: Secured;
  /** Why connections are in plaintext, once each. */
  readonly plaintext: readonly string[];
  /** `namespace/service` that called. */
  readonly source: string;
  /** Host that was called. */
  readonly destination: string;
}

export interface ServerTraffic {
  readonly lease: Lease;
  /** Share of the time in which its event loop worked, 0–1; null where it does not say. */
  readonly busyRatio: number | null;
  readonly requests: number;
  readonly failures: number;
  readonly rps: number;
  /** Since the process started, where it keeps no more; null before its first request. */
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
}

/** Somebody who calls a process of the mesh without a certificate, since that process started. */
export interface PlaintextCaller {
  /** `namespace/service` that was called. */
  readonly destination: string;
  /** Address and user agent. */
  readonly caller: string;
  readonly requests: number;
  readonly agoMs: number;
}

export interface TrafficReading {
  /** Between the two readings, in ms. */
  readonly intervalMs: number;
  readonly edges: readonly EdgeTraffic[];
  /** The same calls, by the host called. */
  readonly services: ReadonlyMap<string, Traffic>;
  /** What processes received, from whomever. */
  readonly servers: readonly ServerTraffic[];
  /** The busiest first. */
  readonly plaintextCallers: readonly PlaintextCaller[];
  /** Of processes in mode `observe`: what policy would have done with calls, by the host called. */
  readonly would: ReadonlyMap<string, WouldReading>;
  /** The busiest event loop of those who called, 0–1, by the host called. */
  readonly callersBusy: ReadonlyMap<string, number | null>;
  readonly failed: readonly { readonly lease: Lease; readonly reason: string }[];
}

export async function readTraffic(
  client: AdminClient,
  leases: readonly Lease[],
  intervalMs: number,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<TrafficReading> {
  const read = (): Promise<Reading<StatsView>[]> =>
    readProcesses<StatsView>(client, leases, "/stats", ["atMs", "outbound", "inbound"]);
  const before = await read();
  await sleep(clock, intervalMs, signal);
  const after = await read();
  const edges = new Map<string, { source: string; destination: string; sums: TrafficSums; security: SecuritySums }>();
  const plaintextCallers: PlaintextCaller[] = [];
  const services = new Map<string, TrafficSums>();
  const servers: ServerTraffic[] = [];
  const would = new Map<string, WouldReading>();
  const callersBusy = new Map<string, number | null>();
  const failed: { lease: Lease; reason: string }[] = [];
  for (const [at, { lease, view: last, failure }] of after.entries()) {
    const first = before[at]?.view;
    if (last === undefined || first === undefined) {
      failed.push({ lease, reason: failure ?? before[at]?.failure ?? "it did not answer" });
      continue;
    }
    const seconds = (last.atMs - first.atMs) / 1_000;
    if (!(seconds > 0)) continue;
    const known = new Map(first.outbound.map((outbound) => [outbound.cluster, outbound]));
    for (const outbound of last.outbound) {
      const source = `${last.namespace}/${last.service}`;
      const key = `${source} ${outbound.host}`;
      const edge = edges.get(key) ?? {
        ...{ source, destination: outbound.host, sums: new TrafficSums(), security: new SecuritySums() },
      };
      edge.security.add(known.get(outbound.cluster), outbound);
      const service = services.get(outbound.host) ?? new TrafficSums();
      for (const sums of [edge.sums, service]) sums.add(known.get(outbound.cluster), outbound, seconds);
      const called = outbound.stats.calls !== known.get(outbound.cluster)?.stats.calls;
      if (called)
        callersBusy.set(outbound.host, busier(busyRatio(first, last), callersBusy.get(outbound.host) ?? null));
      edges.set(key, edge);
      services.set(outbound.host, service);
    }
    servers.push(serverTraffic(lease, first, last, seconds));
    plaintextCallers.push(...inPlaintext(last));
    addWould(would, first, last);
  }
  return {
    intervalMs,
    edges: [...edges.values()].map(({ source, destination, sums, security }) => ({
      ...{ source, destination, secured: security.secured, plaintext: security.reasons },
      ...sums.read(),
    })),
    plaintextCallers: plaintextCallers.sort((a, b) => b.requests - a.requests),
    services: new Map([...services].map(([host, sums]) => [host, sums.read()])),
    servers,
    would,
    callersBusy,
    failed,
  };
}

export function inPlaintext({ namespace, service, security }: StatsView): PlaintextCaller[] {
  const callers = security?.callers.filter(({ secured, requests }) => !secured && requests > 0) ?? [];
  return callers.map(({ caller, requests, agoMs }) => ({
    ...{ destination: `${namespace}/${service}`, caller, requests, agoMs },
  }));
}

function serverTraffic(lease: Lease, first: StatsView, last: StatsView, seconds: number): ServerTraffic {
  const { inbound: before } = first;
  const { requests, failures, p50Ms, p95Ms, p99Ms } = last.inbound;
  const restarted = before.requests > requests;
  const received = requests - (restarted ? 0 : before.requests);
  const quantile = (ms: number): number | null => (requests === 0 ? null : ms);
  return {
    busyRatio: busyRatio(first, last),
    ...{ lease, requests: received, failures: failures - (restarted ? 0 : before.failures), rps: received / seconds },
    ...{ p50Ms: quantile(p50Ms), p95Ms: quantile(p95Ms), p99Ms: quantile(p99Ms) },
  };
}
