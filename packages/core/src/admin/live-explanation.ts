/**
 * What an explanation cannot know from configuration: how the endpoints that a request may go to are doing, and what came of
 * the last calls there, as the processes see it that make them.
 */

import type { Explanation } from "../explain/explanation.js";
import { outText } from "../health/out-story.js";
import type { ClustersView, ClusterView, EndpointView, RequestsView } from "./views.js";

/** What one calling process says. */
export interface CallerReading {
  readonly process: string;
  readonly clusters: ClustersView;
  /** Absent where it does not say. */
  readonly requests?: RequestsView;
}

export interface LiveExplanation {
  /** Processes that have called one of the destinations. */
  readonly seenBy: readonly string[];
  readonly destinations: readonly LiveDestination[];
  readonly expected: ExpectedResult;
}

export interface LiveDestination {
  readonly cluster: string;
  readonly endpoints: readonly LiveEndpoint[];
  /** Of circuit breakers that are not closed, and of limits that are used up: a sentence each. */
  readonly obstacles: readonly string[];
  /** Of its last calls, as far as they are kept; null where none is. */
  readonly recent: RecentCalls | null;
}

export interface LiveEndpoint {
  readonly id: string;
  readonly version: string;
  /** Gets calls from all who see it. */
  readonly usable: boolean;
  /** Why not, once each, with the process that leaves it alone. */
  readonly out: readonly string[];
  readonly inFlight: number;
  /** Of the attempts since its callers started; null before the first. */
  readonly failureRatio: number | null;
  /** Moving average of the slowest caller's; null where none keeps one. */
  readonly latencyMs: number | null;
}

export interface RecentCalls {
  readonly calls: number;
  /** The oldest of them ended so long ago. */
  readonly overMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  /** How many ended so: a status, or the code of an error. The most frequent first. */
  readonly results: readonly { readonly result: string; readonly calls: number }[];
}

export interface ExpectedResult {
  /** `200`, `503`, `CONNECT_FAILED`; empty: nothing tells. */
  readonly result: string;
  /** Of the last calls, 0–1; null where it follows from the state of things. */
  readonly share: number | null;
  readonly text: string;
}

/** Null where the request goes nowhere, or none of the processes has called where it goes. */
export function liveExplanation(
  { outcome, destinations }: Explanation,
  callers: readonly CallerReading[],
): LiveExplanation | null {
  if (outcome !== "route") return null;
  const live = destinations.map(({ cluster }) => liveDestination(cluster, callers));
  const names = new Set(destinations.map(({ cluster }) => cluster));
  const seenBy = callers.filter(({ clusters }) => clusters.clusters.some(({ name }) => names.has(name)));
  if (seenBy.length === 0) return null;
  return { seenBy: seenBy.map(({ process }) => process), destinations: live, expected: expectedOf(live) };
}

function liveDestination(cluster: string, callers: readonly CallerReading[]): LiveDestination {
  const seen = callers.flatMap(({ process, clusters: { clusters } }) =>
    clusters.filter(({ name }) => name === cluster).map((view) => ({ process, view })),
  );
  const endpoints = new Map<string, { process: string; view: EndpointView }[]>();
  for (const { process, view } of seen) {
    for (const endpoint of view.endpoints) {
      endpoints.set(endpoint.id, [...(endpoints.get(endpoint.id) ?? []), { process, view: endpoint }]);
    }
  }
  return {
    cluster,
    endpoints: [...endpoints].map(([id, views]) => liveEndpoint(id, views)),
    obstacles: [...new Set(seen.flatMap(({ process, view }) => obstacles(view).map((text) => `${process}: ${text}`)))],
    recent: recentCalls(cluster, callers),
  };
}

function liveEndpoint(id: string, views: readonly { process: string; view: EndpointView }[]): LiveEndpoint {
  const sum = (field: "inFlight" | "attempts" | "failures"): number =>
    views.reduce((total, { view }) => total + view[field], 0);
  const out = views.flatMap(({ process, view }) => (view.out ?? []).map((each) => `${process}: ${outText(each)}`));
  const latencies = views.flatMap(({ view }) => (view.latencyMs < 0 ? [] : view.latencyMs));
  const attempts = sum("attempts");
  return {
    ...{ id, version: views[0]?.view.version ?? "", usable: out.length === 0, out, inFlight: sum("inFlight") },
    failureRatio: attempts === 0 ? null : sum("failures") / attempts,
    latencyMs: latencies.length === 0 ? null : Math.max(...latencies),
  };
}

function obstacles({ breakers = [], limits, panic = false, usable }: ClusterView): string[] {
  const full = Object.entries(limits ?? {}).filter(([, { inUse, most }]) => most > 0 && inUse >= most);
  return [
    ...breakers.filter(({ state }) => state !== "closed").map(({ text }) => text),
    ...full.map(([name, { inUse, most }]) => `${inUse} of ${most} ${name} are in use`),
    ...(panic ? ["so few endpoints are well that all are used"] : []),
    ...(usable === 0 ? ["no endpoint can be used"] : []),
  ];
}

function recentCalls(cluster: string, callers: readonly CallerReading[]): RecentCalls | null {
  const made = callers.flatMap(({ requests }) => requests?.requests.filter((call) => call.cluster === cluster) ?? []);
  if (made.length === 0) return null;
  const durations = made.map(({ durationMs }) => durationMs).sort((one, other) => one - other);
  const quantile = (q: number): number => durations[Math.max(0, Math.ceil(q * durations.length) - 1)] ?? 0;
  const results = new Map<string, number>();
  for (const { error, status } of made) {
    const result = error || `${status}`;
    results.set(result, (results.get(result) ?? 0) + 1);
  }
  return {
    calls: made.length,
    overMs: Math.max(...made.map(({ agoMs }) => agoMs)),
    ...{ p50Ms: quantile(0.5), p95Ms: quantile(0.95), p99Ms: quantile(0.99) },
    results: [...results].map(([result, calls]) => ({ result, calls })).sort((one, other) => other.calls - one.calls),
  };
}

/** What is likely: the most frequent of the last results, unless nothing can be sent now. */
function expectedOf(destinations: readonly LiveDestination[]): ExpectedResult {
  const dead = destinations.filter(
    ({ endpoints, obstacles: found }) =>
      endpoints.length > 0 && found.some((text) => /no endpoint can be used$/.test(text)),
  );
  if (dead.length === destinations.length) {
    return { result: "503", share: null, text: "503: no endpoint can be used now" };
  }
  const totals = new Map<string, number>();
  let calls = 0;
  for (const { recent } of destinations) {
    for (const each of recent?.results ?? []) {
      totals.set(each.result, (totals.get(each.result) ?? 0) + each.calls);
      calls += each.calls;
    }
  }
  const [likely] = [...totals].sort((one, other) => other[1] - one[1]);
  if (likely === undefined) return { result: "", share: null, text: "no call there is remembered" };
  const [result, most] = likely;
  return { result, share: most / calls, text: `${result}, as ${most} of the last ${calls} calls` };
}
