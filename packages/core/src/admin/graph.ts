/**
 * The mesh as its processes see it: who there is, who calls whom, how often, how well, by what code. One pure function of what
 * their admin endpoints said, so that commands, pictures and dashboards show the same.
 */

import { type GraphHealth, judgeEdge, judgeNode } from "./graph-health.js";
import { type Secured, SecuritySums, since, type Traffic, TrafficSums } from "./traffic-sums.js";
import type { ClustersView, OutboundStats, StatsView } from "./views.js";

/** What one process said at the two ends of an interval. */
export interface ProcessReading {
  readonly namespace: string;
  readonly service: string;
  /** Name of the process, as people see it. */
  readonly process: string;
  readonly version: string;
  /** It has servers that others can call. */
  readonly serves: boolean;
  readonly before?: StatsView;
  /** Absent: it did not answer, and `failure` says why. */
  readonly after?: StatsView;
  readonly failure?: string;
  /** Absent from processes that do not say. */
  readonly clusters?: ClustersView;
  readonly state?: "starting" | "ready" | "degraded" | "draining";
}

export interface Graph {
  readonly intervalMs: number;
  /** By id. */
  readonly nodes: readonly GraphNode[];
  /** By source, then target. */
  readonly edges: readonly GraphEdge[];
}

export interface GraphNode {
  /** `namespace/service`; of what is no service of a mesh, its host. */
  readonly id: string;
  /** `client`: calls, and is called by nobody. `external`: called, and has no process of the mesh. */
  readonly kind: "service" | "client" | "external";
  readonly namespace: string;
  readonly name: string;
  readonly health: GraphHealth;
  /** Why it is not well, a phrase each. */
  readonly reasons: readonly string[];
  /** Processes of the mesh. */
  readonly processes: readonly GraphProcess[];
  readonly versions: readonly GraphVersion[];
  /** What it received: as its callers measured it, retries included, or `itself` where no process of the mesh calls it. */
  readonly measuredBy: "callers" | "itself";
  readonly traffic: Traffic;
}

export interface GraphProcess {
  readonly process: string;
  readonly version: string;
  /** `silent`: it does not answer. */
  readonly state: "starting" | "ready" | "degraded" | "draining" | "silent" | "unknown";
}

/** Attempts to endpoints of one version, by whomever in the mesh. */
export interface GraphVersion {
  /** Empty: none is said. */
  readonly version: string;
  readonly processes: number;
  readonly attempts: number;
  readonly failures: number;
}

export interface GraphEdge {
  readonly source: string;
  readonly target: string;
  /** Host that was called. */
  readonly host: string;
  /** `mirror`: copies, for whose answers nobody waits. */
  readonly kind: "call" | "mirror";
  readonly traffic: Traffic;
  readonly versions: readonly Omit<GraphVersion, "processes">[];
  readonly secured: Secured;
  /** Why connections are in plaintext, once each. */
  readonly plaintext: readonly string[];
  readonly health: GraphHealth;
  readonly reasons: readonly string[];
  /** Routes of the caller's code on whose behalf it was called, the busiest first. */
  readonly routes: readonly GraphRoute[];
}

export interface GraphRoute {
  /** `/books/:id`, as the application's router has it; empty: work of nobody's, or of a router that does not tell. */
  readonly inbound: string;
  readonly calls: number;
  readonly failures: number;
  readonly rps: number;
  /** Mean; null without calls. */
  readonly meanMs: number | null;
}

/** @param intervalMs between the two readings */
export function graph(readings: readonly ProcessReading[], intervalMs: number): Graph {
  const edges = new Edges();
  for (const reading of readings) {
    const { before, after } = reading;
    if (before === undefined || after === undefined) continue;
    const seconds = (after.atMs - before.atMs) / 1_000;
    if (seconds > 0) edges.add(reading, before, after, seconds);
  }
  const list = edges.read();
  return { intervalMs, nodes: nodesOf(readings, list, edges), edges: list };
}

/** `shop/reviews` of `reviews.shop.svc.cluster.local`; another host as it is. */
export function nodeOfHost(host: string): string {
  const [, name, namespace] = /^([^.]+)\.([^.]+)\.svc(?:\.|$)/.exec(host) ?? [];
  return name === undefined ? host : `${namespace}/${name}`;
}

interface EdgeSums {
  readonly source: string;
  readonly target: string;
  readonly host: string;
  readonly kind: GraphEdge["kind"];
  readonly traffic: TrafficSums;
  readonly security: SecuritySums;
  readonly versions: Map<string, { attempts: number; failures: number }>;
  readonly reasons: Set<string>;
  readonly routes: Map<string, { calls: number; failures: number; sumMs: number; rps: number }>;
}

class Edges {
  /** What nodes received, by id. */
  readonly received = new Map<string, TrafficSums>();
  readonly #edges = new Map<string, EdgeSums>();

  add(reading: ProcessReading, before: StatsView, after: StatsView, seconds: number): void {
    const source = `${after.namespace}/${after.service}`;
    const known = new Map(before.outbound.map((outbound) => [outbound.cluster, outbound]));
    for (const outbound of after.outbound) {
      const base = known.get(outbound.cluster);
      const edge = this.#edge(source, outbound.host, "call");
      edge.traffic.add(base, outbound, seconds);
      edge.security.add(base, outbound);
      addVersions(edge.versions, base, outbound);
      this.#receivedBy(edge.target).add(base, outbound, seconds);
    }
    for (const { host, breakers = [], panic = false, endpoints } of reading.clusters?.clusters ?? []) {
      const { reasons } = this.#edge(source, host, "call");
      for (const { state, text } of breakers) if (state !== "closed") reasons.add(text);
      if (panic) reasons.add("so few endpoints are well that all are used");
      for (const { id, out = [] } of endpoints) if (out.length > 0) reasons.add(`${id} is left alone`);
    }
    this.#addMirrors(source, before, after, seconds);
    this.#addRoutes(source, before, after, seconds);
  }

  read(): GraphEdge[] {
    return [...this.#edges.values()]
      .map(({ source, target, host, kind, traffic, security, versions, reasons, routes }) => {
        const read = traffic.read();
        const ways = [...routes]
          .filter(([, { calls }]) => calls > 0)
          .map(([inbound, { sumMs, ...each }]) => ({ inbound, ...each, meanMs: sumMs / each.calls }))
          .sort((one, other) => other.calls - one.calls || compare(one.inbound, other.inbound));
        return {
          ...{ source, target, host, kind, traffic: read },
          versions: [...versions].map(([version, sums]) => ({ version, ...sums })).sort(byVersion),
          ...{ secured: security.secured, plaintext: security.reasons },
          ...judgeEdge(read, [...reasons]),
          routes: ways,
        };
      })
      .sort((a, b) => compare(a.source, b.source) || compare(a.target, b.target) || compare(a.kind, b.kind));
  }

  #addMirrors(source: string, before: StatsView, after: StatsView, seconds: number): void {
    const known = new Map(before.mirrors?.map((mirror) => [mirror.cluster, mirror]));
    for (const { cluster, stats } of after.mirrors ?? []) {
      const host = cluster.split("|").at(-1) ?? cluster; // Envoy's form: direction|port|subset|host
      const base = known.get(cluster);
      const asOutbound = (of: typeof stats): OutboundStats => ({
        cluster,
        host,
        subset: "",
        stats: of,
        cells: [],
        endpoints: [],
      });
      this.#edge(source, host, "mirror").traffic.add(base && asOutbound(base.stats), asOutbound(stats), seconds);
    }
  }

  #addRoutes(source: string, before: StatsView, after: StatsView, seconds: number): void {
    const known = new Map(before.codeRoutes?.map((each) => [`${each.inbound} ${each.host}`, each]));
    for (const { inbound, host, calls, failures, sumMs } of after.codeRoutes ?? []) {
      const base = known.get(`${inbound} ${host}`);
      const { routes } = this.#edge(source, host, "call");
      const sums = routes.get(inbound) ?? { calls: 0, failures: 0, sumMs: 0, rps: 0 };
      const made = since(base?.calls, calls);
      sums.calls += made;
      sums.failures += since(base?.failures, failures);
      sums.sumMs += since(base?.sumMs, sumMs);
      sums.rps += made / seconds;
      routes.set(inbound, sums);
    }
  }

  #edge(source: string, host: string, kind: GraphEdge["kind"]): EdgeSums {
    const key = `${source} ${host} ${kind}`;
    const edge = this.#edges.get(key) ?? {
      ...{ source, target: nodeOfHost(host), host, kind, traffic: new TrafficSums(), security: new SecuritySums() },
      ...{ versions: new Map(), reasons: new Set<string>(), routes: new Map() },
    };
    this.#edges.set(key, edge);
    return edge;
  }

  #receivedBy(node: string): TrafficSums {
    const sums = this.received.get(node) ?? new TrafficSums();
    this.received.set(node, sums);
    return sums;
  }
}

function addVersions(versions: EdgeSums["versions"], before: OutboundStats | undefined, after: OutboundStats): void {
  const known = new Map(before?.endpoints.map((endpoint) => [endpoint.id, endpoint]));
  for (const { id, version, attempts, failures } of after.endpoints) {
    const base = known.get(id);
    const made = since(base?.attempts, attempts);
    if (made === 0) continue;
    const sums = versions.get(version) ?? { attempts: 0, failures: 0 };
    sums.attempts += made;
    sums.failures += since(base?.failures, failures);
    versions.set(version, sums);
  }
}

function nodesOf(readings: readonly ProcessReading[], edges: readonly GraphEdge[], { received }: Edges): GraphNode[] {
  const processes = new Map<string, ProcessReading[]>();
  for (const reading of readings) {
    const id = `${reading.namespace}/${reading.service}`;
    processes.set(id, [...(processes.get(id) ?? []), reading]);
  }
  const ids = new Set([...processes.keys(), ...edges.map(({ target }) => target)]);
  return [...ids].sort(compare).map((id) => nodeOf(id, processes.get(id) ?? [], edges, received.get(id)));
}

function nodeOf(
  id: string,
  own: readonly ProcessReading[],
  edges: readonly GraphEdge[],
  received: TrafficSums | undefined,
): GraphNode {
  const slash = id.indexOf("/");
  const serves = own.length === 0 || own.some((reading) => reading.serves);
  const kind = own.length === 0 ? "external" : serves || received !== undefined ? "service" : "client";
  const processes = own.map(({ process, version, state, failure }) => ({
    ...{ process, version },
    state: failure === undefined ? (state ?? "unknown") : "silent",
  })) satisfies GraphProcess[];
  const traffic = received?.read() ?? ownTraffic(own);
  const versions = new Map<string, { processes: number; attempts: number; failures: number }>();
  const versionOf = (version: string) => {
    const sums = versions.get(version) ?? { processes: 0, attempts: 0, failures: 0 };
    versions.set(version, sums);
    return sums;
  };
  for (const { version } of own) versionOf(version).processes += 1;
  for (const edge of edges) {
    if (edge.target !== id) continue;
    for (const { version, attempts, failures } of edge.versions) {
      versionOf(version).attempts += attempts;
      versionOf(version).failures += failures;
    }
  }
  return {
    ...{ id, kind, namespace: slash < 0 ? "" : id.slice(0, slash), name: id.slice(slash + 1) },
    ...judgeNode(traffic, processes),
    processes,
    versions: [...versions].map(([version, sums]) => ({ version, ...sums })).sort(byVersion),
    ...{ measuredBy: received === undefined ? "itself" : "callers", traffic },
  };
}

/** Its own processes keep quantiles since their start: beside figures of an interval they would mislead. */
function ownTraffic(own: readonly ProcessReading[]): Traffic {
  const sums = { calls: 0, failures: 0, inFlight: 0, rps: 0 };
  for (const { before, after } of own) {
    if (before === undefined || after === undefined || after.atMs <= before.atMs) continue;
    const requests = since(before.inbound.requests, after.inbound.requests);
    sums.calls += requests;
    sums.failures += since(before.inbound.failures, after.inbound.failures);
    sums.inFlight += after.inbound.inFlight;
    sums.rps += (requests * 1_000) / (after.atMs - before.atMs);
  }
  const { calls, failures } = sums;
  const successes = Math.max(0, calls - failures);
  const successRatio = calls === 0 ? null : successes / calls;
  return { ...sums, successes, retries: 0, successRatio, retryRatio: null, p50Ms: null, p95Ms: null, p99Ms: null };
}

function byVersion(one: { readonly version: string }, other: { readonly version: string }): number {
  return compare(one.version, other.version);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
