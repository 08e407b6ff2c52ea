/**
 * What a control plane of Envoy's sends, as the snapshot that every source of policy is brought into. Pure: the same resources
 * give the same answers. Virtual hosts, clusters and endpoints are made on first use, and keep their objects while nothing
 * that they come from changed.
 */

import type {
  ClientContext,
  Cluster,
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
} from "@inmesh/model";
import { defaultSecurity, NO_SERVER_POLICY } from "@inmesh/model";
import { Generations } from "@inmesh/model/internal";
import type { EndpointList } from "./assignment.js";
import type { DiscoveredCluster } from "./cluster.js";
import { ListenerIndex } from "./listener-index.js";
import type { EnvoyResources } from "./resources.js";
import { EnvoyRouteTable } from "./route-table.js";
import { ServiceBook } from "./service-book.js";

export interface EnvoyInput {
  readonly resources: EnvoyResources;
  readonly client: ClientContext;
  readonly problems: readonly Problem[];
  readonly version: number;
  /** Of the process's own servers. Absent: the defaults of a mesh. */
  readonly security?: SecurityPolicy;
  readonly telemetry?: TelemetryPolicy;
  readonly server?: ServerPolicy;
  /** @default "cluster.local" */
  readonly trustDomain?: string;
}

/** @param previous the snapshot before, of the same process */
export function envoySnapshot(input: EnvoyInput, previous?: Snapshot): Snapshot {
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
  readonly lists: readonly (EndpointList | undefined)[];
  readonly set: EndpointSet;
}

class EnvoySnapshot implements Snapshot {
  readonly version: number;
  readonly client: ClientContext;
  readonly mesh: MeshSettings;
  readonly mode: Mode = "on";
  readonly server: ServerPolicy;
  readonly security: SecurityPolicy;
  declare readonly telemetry?: TelemetryPolicy;
  readonly routes: RouteTable;
  readonly problems: readonly Problem[];
  readonly resources: ReadonlyMap<string, string> = new Map();
  readonly #resources: EnvoyResources;
  readonly #listeners: ListenerIndex;
  readonly #services: ServiceBook;
  readonly #table: EnvoyRouteTable;
  /** Each entry says what it was made of. */
  readonly #clusters: Generations<MadeCluster>;
  readonly #sets: Generations<MadeSet>;

  constructor(input: EnvoyInput, previous: EnvoySnapshot | undefined) {
    const { resources, client, problems, version, security, telemetry, server, trustDomain = "cluster.local" } = input;
    this.version = version;
    this.client = client;
    this.problems = problems;
    this.#resources = resources;
    const before = previous === undefined ? undefined : previous.#resources;
    this.#listeners =
      previous !== undefined && before?.listeners === resources.listeners
        ? previous.#listeners
        : new ListenerIndex(resources.listeners.values());
    this.#services = new ServiceBook(resources.clusters, previous === undefined ? undefined : previous.#services);
    const services = this.#services.byHost;
    const sameTable = before?.listeners === resources.listeners && before.routes === resources.routes;
    this.#table =
      previous !== undefined && sameTable && previous.#services.byHost === services
        ? previous.#table
        : new EnvoyRouteTable(
            resources,
            this.#listeners,
            (host) => services.get(host),
            previous === undefined ? undefined : previous.#table,
          );
    this.routes = this.#table;
    this.#clusters = new Generations(previous === undefined ? undefined : previous.#clusters);
    this.#sets = new Generations(previous === undefined ? undefined : previous.#sets);
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

  get services(): ReadonlyMap<string, Service> {
    return this.#services.byHost;
  }

  cluster(name: string): Cluster | undefined {
    const from = this.#resources.clusters.get(name);
    if (from === undefined) return undefined;
    const list = this.#listsOf(from).find((each) => each !== undefined);
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
    const lists = from === undefined ? [] : this.#listsOf(from);
    const made = this.#sets.get(name) ?? this.#sets.earlier(name);
    if (
      made !== undefined &&
      made.lists.length === lists.length &&
      made.lists.every((each, at) => each === lists[at])
    ) {
      this.#sets.set(name, made);
      return made.set;
    }
    // Of an aggregate: the first of its clusters that has any (gRFC A37).
    const endpoints = lists.find((list) => list !== undefined && list.endpoints.length > 0)?.endpoints ?? [];
    const set: EndpointSet = { cluster: name, endpoints };
    this.#sets.set(name, { lists, set });
    return set;
  }

  /** One entry for each cluster that endpoints may come from; undefined: not told yet. */
  #listsOf(cluster: DiscoveredCluster, level = 0): readonly (EndpointList | undefined)[] {
    switch (cluster.kind) {
      case "eds":
        return [this.#resources.endpoints.get(cluster.edsName)];
      case "aggregate":
        if (level >= MOST_LEVELS) return [];
        return cluster.children.flatMap((name) => {
          const child = this.#resources.clusters.get(name);
          return child === undefined || child === cluster ? [] : this.#listsOf(child, level + 1);
        });
      default:
        return [cluster.endpoints];
    }
  }

  #serviceOf(from: DiscoveredCluster): Service {
    const service = this.#services.byHost.get(from.host) ?? OF_ENVOY;
    const waits = from.kind === "eds" && !this.#resources.endpoints.has(from.edsName);
    return waits ? pending(service) : service;
  }
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

const PENDING = new WeakMap<Service, Service>();

/** One object for each service, so that a cluster stays what it is while its endpoints are waited for. */
function pending(service: Service): Service {
  let made = PENDING.get(service);
  if (made !== undefined) return made;
  made = { ...service, pending: true };
  PENDING.set(service, made);
  return made;
}

function isRankedAlike(a: EndpointList | undefined, b: EndpointList | undefined): boolean {
  return a === b || JSON.stringify([a?.ranks, a?.shares]) === JSON.stringify([b?.ranks, b?.shares]);
}

const NO_LABELS: Readonly<Record<string, string>> = Object.freeze({});

function clusterOf(from: DiscoveredCluster, list: EndpointList | undefined, service: Service): Cluster {
  const { name, host, port, subset, resource, policy, weighsLocalities } = from;
  const locality = list?.ranks ?? (weighsLocalities ? list?.shares : undefined);
  return {
    ...{ name, service, host, port, subset, resource },
    labels: NO_LABELS,
    policy: locality === undefined ? policy : { ...policy, locality },
  };
}
