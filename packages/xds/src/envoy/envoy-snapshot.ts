/**
 * What a control plane of Envoy's sends, as the snapshot that every source of policy is brought into. Pure: the same resources
 * give the same answers. Virtual hosts, clusters and endpoints are made on first use, and keep their objects while nothing
 * that they come from changed.
 */

import type {
  ClientContext,
  Cluster,
  DroppedShare,
  EndpointSet,
  MeshSettings,
  Mode,
  Problem,
  RouteTable,
  SecurityPolicy,
  ServerPolicy,
  Service,
  Snapshot,
  TelemetryPolicy,
  VirtualHost,
} from "@inmesh/model";
import { defaultSecurity, NO_SERVER_POLICY } from "@inmesh/model";
import { Generations } from "@inmesh/model/internal";
import type { ClusterAssignment } from "../client/endpoint/assignment.js";
import type { DiscoveredCluster } from "./cluster.js";
import { type EndpointList, endpointList, keepEndpoints } from "./endpoint-list.js";
import { ListenerIndex } from "./listener-index.js";
import { notHonoured } from "./problems.js";
import type { EnvoyResources } from "./resources.js";
import { EnvoyRouteTable } from "./route-table.js";
import { ServiceBook } from "./service-book.js";

export interface EnvoyInput {
  /** By whose rules its resources are meant. */
  readonly profile: "envoy" | "grpc";
  readonly resources: EnvoyResources;
  readonly client: ClientContext;
  readonly version: number;
  /** Of the process's own servers. Absent: the defaults of a mesh. */
  readonly security?: SecurityPolicy;
  readonly telemetry?: TelemetryPolicy;
  readonly server?: ServerPolicy;
  /** @default "cluster.local" */
  readonly trustDomain?: string;
  /** Of the listeners of `resources`. @default made here */
  readonly index?: ListenerIndex;
  /** Of the clusters of `resources`. @default made here */
  readonly book?: ServiceBook;
}

/** @param previous the snapshot before, of the same process */
export function envoySnapshot(input: EnvoyInput, previous?: Snapshot): EnvoySnapshot {
  return new EnvoySnapshot(input, previous instanceof EnvoySnapshot ? previous : undefined);
}

const CONNECT_MS = 10_000;
const DNS_REFRESH_MS = 60_000;
/** An aggregate of aggregates (gRFC A37). */
const MOST_LEVELS = 16;

interface MadeCluster {
  readonly from: DiscoveredCluster;
  readonly list: EndpointList | undefined;
  readonly service: Service;
  readonly cluster: Cluster;
}

interface MadeSet {
  readonly lists: readonly (ClusterAssignment | undefined)[];
  readonly set: EndpointSet;
}

export class EnvoySnapshot implements Snapshot {
  readonly version: number;
  readonly client: ClientContext;
  readonly mesh: MeshSettings;
  readonly mode: Mode = "on";
  readonly server: ServerPolicy;
  readonly security: SecurityPolicy;
  declare readonly telemetry?: TelemetryPolicy;
  readonly routes: RouteTable;
  readonly resources: ReadonlyMap<string, string> = new Map();
  readonly #profile: EnvoyInput["profile"];
  readonly #resources: EnvoyResources;
  readonly #listeners: ListenerIndex;
  readonly #services: ServiceBook;
  #problems: readonly Problem[] | undefined;
  readonly #table: EnvoyRouteTable;
  /** Each entry says what it was made of. */
  readonly #clusters: Generations<MadeCluster>;
  readonly #sets: Generations<MadeSet>;
  readonly #toldServices: Generations<{ readonly of: Service; readonly service: Service }>;

  constructor(input: EnvoyInput, previous: EnvoySnapshot | undefined) {
    const { resources, client, version, security, telemetry, server, trustDomain = "cluster.local" } = input;
    this.#profile = input.profile;
    this.version = version;
    this.client = client;
    this.#resources = resources;
    const before = previous === undefined ? undefined : previous.#resources;
    this.#listeners = input.index ?? new ListenerIndex(resources.listeners.values());
    this.#services = input.book ?? new ServiceBook(resources.clusters);
    const services = this.#services.byHost;
    const sameTable =
      before?.listeners === resources.listeners &&
      before.routes === resources.routes &&
      before.ready === resources.ready &&
      before.missingRoutes === resources.missingRoutes;
    this.#table =
      previous !== undefined && sameTable && previous.#services.byHost === services
        ? previous.#table
        : new EnvoyRouteTable(
            resources,
            this.#listeners,
            client.namespace,
            (host) => services.get(host),
            previous === undefined ? undefined : previous.#table,
          );
    this.routes = this.#table;
    this.#clusters = new Generations(previous === undefined ? undefined : previous.#clusters);
    this.#sets = new Generations(previous === undefined ? undefined : previous.#sets);
    this.#toldServices = new Generations(previous === undefined ? undefined : previous.#toldServices);
    this.mesh = {
      outboundPolicy: this.#listeners.outboundPolicy,
      rootNamespace: "istio-system",
      trustDomain,
      domain: "cluster.local",
      connectTimeoutMs: CONNECT_MS,
      dnsRefreshMs: DNS_REFRESH_MS,
    };
    this.security = security ?? previous?.security ?? defaultSecurity(trustDomain);
    this.server = server ?? NO_SERVER_POLICY;
    if (telemetry !== undefined) this.telemetry = telemetry;
  }

  /** Versions of the control plane say nothing of content: they count its pushes. */
  get revision(): string {
    return String(this.version);
  }

  /** Hosts that were asked for, as far as rules are for them. */
  spelled(): readonly { readonly host: string; readonly port: number; readonly virtualHost: VirtualHost }[] {
    return this.#table.spelled();
  }

  /** See `EnvoyRouteTable.tableName`. */
  tableName(host: string, port: number): string | undefined {
    return this.#table.tableName(host, port);
  }

  /** What of the resources is not honoured. Gathered when somebody asks. */
  get problems(): readonly Problem[] {
    this.#problems ??= notHonoured(this.#resources);
    return this.#problems;
  }

  get services(): ReadonlyMap<string, Service> {
    return this.#services.byHost;
  }

  cluster(name: string): Cluster | undefined {
    const from = this.#resources.clusters.get(name);
    if (from === undefined) return undefined;
    const assignment = this.#assignmentsOf(from).find((each) => each !== undefined);
    const list = assignment && endpointList(assignment, this.#profile);
    const service = this.#serviceOf(from);
    const made = this.#clusters.get(name) ?? this.#clusters.earlier(name);
    if (made?.from === from && made.service === service && isRankedAlike(made.list, list)) {
      this.#clusters.set(name, made);
      return made.cluster;
    }
    const cluster = clusterOf(from, list, service);
    this.#clusters.set(name, { from, list, service, cluster });
    return cluster;
  }

  endpoints(cluster: Cluster): EndpointSet {
    const { name } = cluster;
    const from = this.#resources.clusters.get(name);
    const lists = from === undefined ? [] : this.#assignmentsOf(from);
    const made = this.#sets.get(name) ?? this.#sets.earlier(name);
    if (
      made !== undefined &&
      made.lists.length === lists.length &&
      made.lists.every((each, at) => each === lists[at])
    ) {
      this.#sets.set(name, made);
      return made.set;
    }
    // Of an aggregate: the first of its clusters that has any (gRFC A37), else the first that is told.
    const listOf = (each: ClusterAssignment | undefined) => each && endpointList(each, this.#profile).endpoints;
    const told = lists.find((each) => listOf(each)?.length) ?? lists.find((each) => each !== undefined);
    const endpoints = keepEndpoints(listOf(told) ?? [], made?.set.endpoints);
    const drops = told?.drops.filter(({ ratio }) => ratio > 0) ?? [];
    const isAsBefore =
      made !== undefined && endpoints === made.set.endpoints && sameDrops(drops, made.set.drops ?? NO_DROPS);
    const set = isAsBefore ? made.set : { cluster: name, endpoints, ...(drops.length > 0 && { drops }) };
    this.#sets.set(name, { lists, set });
    return set;
  }

  /** One entry for each cluster that endpoints may come from; undefined: not told yet. */
  #assignmentsOf(cluster: DiscoveredCluster, level = 0): readonly (ClusterAssignment | undefined)[] {
    switch (cluster.kind) {
      case "eds":
        return [this.#resources.endpoints.get(cluster.edsName)];
      case "aggregate":
        if (level >= MOST_LEVELS) return [];
        return cluster.children.flatMap((name) => {
          const child = this.#resources.clusters.get(name);
          return child === undefined || child === cluster ? [] : this.#assignmentsOf(child, level + 1);
        });
      default:
        return [cluster.endpoints];
    }
  }

  /** The service, as one whose endpoints are told of this cluster while it is called. */
  #told(from: DiscoveredCluster, service: Service): Service {
    const waits = this.#assignmentsOf(from).every((each) => each === undefined);
    const key = `${from.name} ${waits}`;
    const made = this.#toldServices.get(key) ?? this.#toldServices.earlier(key);
    const told = made?.of === service ? made : { of: service, service: toldOf(service, from.name, waits) };
    this.#toldServices.set(key, told);
    return told.service;
  }

  #serviceOf(from: DiscoveredCluster): Service {
    const service = this.#services.byHost.get(from.host) ?? OF_ENVOY;
    return from.kind === "eds" || from.kind === "aggregate" ? this.#told(from, service) : service;
  }
}

const NO_DROPS: readonly DroppedShare[] = [];

function sameDrops(a: readonly DroppedShare[], b: readonly DroppedShare[]): boolean {
  return (
    a.length === b.length && a.every(({ category, ratio }, at) => category === b[at]?.category && ratio === b[at].ratio)
  );
}

/** Of the cluster for what is let through. */
const OF_ENVOY: Service = Object.freeze({
  host: "",
  name: "",
  namespace: "",
  ports: [],
  implicit: false,
  resolution: "passThrough",
  location: "external",
  exportTo: [],
  addresses: [],
  subjectAltNames: [],
  resource: "",
});

/** Namespace of a cluster that calls say is in use. */
export const CLUSTER_IN_USE = "xds-cluster";

function toldOf(service: Service, cluster: string, waits: boolean): Service {
  const knownAs = [{ namespace: CLUSTER_IN_USE, service: cluster }];
  return { ...service, knownAs, ...(waits && { pending: true }) };
}

function isRankedAlike(a: EndpointList | undefined, b: EndpointList | undefined): boolean {
  return a === b || JSON.stringify([a?.ranks, a?.shares]) === JSON.stringify([b?.ranks, b?.shares]);
}

const NO_LABELS: Readonly<Record<string, string>> = Object.freeze({});

function clusterOf(from: DiscoveredCluster, list: EndpointList | undefined, service: Service): Cluster {
  const { name, host, port, subset, resource, policy, weighsLocalities } = from;
  const ranks = list?.ranks && { ...list.ranks, ...(weighsLocalities && { weighsLocalities }) };
  const locality = ranks ?? (weighsLocalities ? list?.shares : undefined);
  return {
    ...{ name, service, host, port, subset, resource },
    labels: NO_LABELS,
    policy: locality === undefined ? policy : { ...policy, locality },
  };
}
