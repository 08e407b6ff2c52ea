/** Two readings of every process's counters, and what happened between them. */

import { type Clock, type Lease, sleep } from "@inmesh/core";
import type { OutboundStats, StatsView, WouldReading } from "@inmesh/core/admin";
import { quantileOfCells } from "@inmesh/core/internal";
import type { AdminClient } from "./admin-client.js";
import { type Reading, readProcesses } from "./processes.js";
import { addWould } from "./would.js";

/** Calls of one kind over an interval. */
export interface Traffic {
  readonly calls: number;
  readonly successes: number;
  readonly failures: number;
  readonly retries: number;
  readonly inFlight: number;
  readonly rps: number;
  /** Share of the calls that ended, 0–1; null without calls. */
  readonly successRatio: number | null;
  /** Retries per call; null without calls. */
  readonly retryRatio: number | null;
  /** Null without calls. */
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
}

export interface EdgeTraffic extends Traffic {
  /** Whether the connections used in the interval were encrypted; null where none was used, or nobody says. */
  readonly secured: "yes" | "partly" | "no" | null;
  /** Why connections are in plaintext, once each. */
  readonly plaintext: readonly string[];
  /** `namespace/service` that called. */
  readonly source: string;
  /** Host that was called. */
  readonly destination: string;
}

export interface ServerTraffic {
  readonly lease: Lease;
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
  readonly failed: readonly { readonly lease: Lease; readonly reason: string }[];
}

interface Sums {
  calls: number;
  successes: number;
  failures: number;
  retries: number;
  inFlight: number;
  rps: number;
  readonly cells: number[];
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
  const edges = new Map<string, { source: string; destination: string; sums: Sums; security: EdgeSecurity }>();
  const plaintextCallers: PlaintextCaller[] = [];
  const services = new Map<string, Sums>();
  const servers: ServerTraffic[] = [];
  const would = new Map<string, WouldReading>();
  const failed: { lease: Lease; reason: string }[] = [];
  for (const [at, { lease, view: last, failure }] of after.entries()) {
    const first = before[at]?.view;
    if (last === undefined || first === undefined) {
      failed.push({ lease, reason: failure ?? before[at]?.failure ?? "it did not answer" });
      continue;
    }
    // A counter that fell belongs to a process that took the place of another: it counts from zero.
    const seconds = (last.atMs - first.atMs) / 1_000;
    if (!(seconds > 0)) continue;
    const known = new Map(first.outbound.map((outbound) => [outbound.cluster, outbound]));
    for (const outbound of last.outbound) {
      const source = `${last.namespace}/${last.service}`;
      const key = `${source} ${outbound.host}`;
      const edge = edges.get(key) ?? {
        ...{ source, destination: outbound.host, sums: noCalls() },
        security: { encrypted: 0, plaintext: 0, reasons: new Set<string>() },
      };
      addSecurity(edge.security, known.get(outbound.cluster), outbound);
      const service = services.get(outbound.host) ?? noCalls();
      for (const sums of [edge.sums, service]) add(sums, known.get(outbound.cluster), outbound, seconds);
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
      ...{ source, destination, secured: securedOf(security), plaintext: [...security.reasons] },
      ...finish(sums),
    })),
    plaintextCallers: plaintextCallers.sort((a, b) => b.requests - a.requests),
    services: new Map([...services].map(([host, sums]) => [host, finish(sums)])),
    servers,
    would,
    failed,
  };
}

interface EdgeSecurity {
  encrypted: number;
  plaintext: number;
  readonly reasons: Set<string>;
}

function addSecurity(security: EdgeSecurity, before: OutboundStats | undefined, { endpoints }: OutboundStats): void {
  const known = new Map(before?.endpoints.map(({ id, attempts }) => [id, attempts]));
  for (const { id, attempts, plaintext } of endpoints) {
    const base = known.get(id) ?? 0;
    const made = attempts < base ? attempts : attempts - base;
    if (made === 0 || plaintext === undefined) continue;
    if (plaintext === "") security.encrypted += made;
    else {
      security.plaintext += made;
      security.reasons.add(plaintext);
    }
  }
}

function securedOf({ encrypted, plaintext }: EdgeSecurity): EdgeTraffic["secured"] {
  if (encrypted + plaintext === 0) return null;
  return plaintext === 0 ? "yes" : encrypted === 0 ? "no" : "partly";
}

function inPlaintext({ namespace, service, security }: StatsView): PlaintextCaller[] {
  const callers = security?.callers.filter(({ secured, requests }) => !secured && requests > 0) ?? [];
  return callers.map(({ caller, requests, agoMs }) => ({
    ...{ destination: `${namespace}/${service}`, caller, requests, agoMs },
  }));
}

function add(sums: Sums, before: OutboundStats | undefined, { stats, cells }: OutboundStats, seconds: number): void {
  const restarted = before !== undefined && before.stats.calls > stats.calls;
  const base = restarted ? undefined : before;
  const calls = stats.calls - (base?.stats.calls ?? 0);
  sums.calls += calls;
  sums.successes += stats.successes - (base?.stats.successes ?? 0);
  sums.failures += stats.failures - (base?.stats.failures ?? 0);
  sums.retries += stats.retries - (base?.stats.retries ?? 0);
  sums.inFlight += stats.inFlight;
  sums.rps += calls / seconds;
  cells.forEach((cell, at) => {
    sums.cells[at] = (sums.cells[at] ?? 0) + cell - (base?.cells[at] ?? 0);
  });
}

function serverTraffic(
  lease: Lease,
  { inbound: before }: StatsView,
  { inbound: { requests, failures, p50Ms, p95Ms, p99Ms } }: StatsView,
  seconds: number,
): ServerTraffic {
  const restarted = before.requests > requests;
  const received = requests - (restarted ? 0 : before.requests);
  const quantile = (ms: number): number | null => (requests === 0 ? null : ms);
  return {
    ...{ lease, requests: received, failures: failures - (restarted ? 0 : before.failures), rps: received / seconds },
    ...{ p50Ms: quantile(p50Ms), p95Ms: quantile(p95Ms), p99Ms: quantile(p99Ms) },
  };
}

function noCalls(): Sums {
  return { calls: 0, successes: 0, failures: 0, retries: 0, inFlight: 0, rps: 0, cells: [] };
}

function finish({ cells, ...sums }: Sums): Traffic {
  const { calls, successes, failures, retries } = sums;
  const ended = successes + failures;
  const quantile = (q: number): number | null => (calls === 0 ? null : quantileOfCells(cells, q));
  return {
    ...sums,
    successRatio: ended === 0 ? null : successes / ended,
    retryRatio: calls === 0 ? null : retries / calls,
    ...{ p50Ms: quantile(0.5), p95Ms: quantile(0.95), p99Ms: quantile(0.99) },
  };
}
