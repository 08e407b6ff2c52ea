/** Snapshots by hand, so that a test of the engine needs neither YAML nor a registry. */

import {
  type ClientTls,
  type Cluster,
  type Destination,
  defaultSecurity,
  type Endpoint,
  type EndpointSet,
  type LoadBalancerKind,
  type MeshSettings,
  type Mode,
  NO_SERVER_POLICY,
  type OutlierPolicy,
  PLAINTEXT,
  type Resolution,
  type RetryPolicy,
  type Route,
  type ServerPolicy,
  type Service,
  type Snapshot,
  type TrafficPolicy,
  type VirtualHost,
} from "@inmesh/model";

export interface FakeRetry extends Partial<Omit<RetryPolicy, "on" | "statusCodes">> {
  /** Names and numbers, as in Istio's retryOn. */
  readonly on?: readonly string[];
}

export interface FakeRoute extends Partial<Omit<Route, "retry">> {
  /** Cluster, or clusters with their weights. @default the name of the host */
  readonly to?: string | Readonly<Record<string, number>>;
  readonly retry?: FakeRetry;
}

export interface FakeCluster {
  /** `address:port`, or with a weight and the processes behind it. */
  readonly endpoints: readonly (
    | string
    | ({ readonly id: string } & Partial<Pick<Endpoint, "weight" | "workloads" | "labels" | "locality">>)
  )[];
  /** @default "leastRequest" */
  readonly loadBalancer?: LoadBalancerKind;
  /** What is left out is as in plaintext. @default plaintext */
  readonly tls?: Partial<ClientTls>;
  /** Any other part of its policy. @default none */
  readonly policy?: Partial<TrafficPolicy>;
  /** @default "static" */
  readonly resolution?: Resolution;
  /** The host that the cluster is for. @default its name */
  readonly host?: string;
  /** Of its service, where the registry tells instances only of services in use. @default all are told */
  readonly told?: Pick<Service, "knownAs" | "pending">;
}

export interface FakeSnapshotSpec {
  /** Short name of the calling service. @default an anonymous caller */
  readonly client?: string;
  /** @default servers have no policy */
  readonly server?: ServerPolicy;
  /** @default 1 */
  readonly version?: number;
  /** @default "ALLOW_ANY" */
  readonly outboundPolicy?: MeshSettings["outboundPolicy"];
  /** @default "on" */
  readonly mode?: Mode;
  /** What the mode keeps from applying; for `off` and `observe`. */
  readonly withPolicy?: FakeSnapshotSpec;
  readonly clusters?: Readonly<Record<string, FakeCluster | FakeCluster["endpoints"]>>;
  /** Rules by host. @default one rule per cluster, whose host is the cluster's name */
  readonly hosts?: Readonly<Record<string, readonly FakeRoute[]>>;
}

/** No retries. */
export function fakeRetry({ on = [], ...others }: FakeRetry = {}): RetryPolicy {
  return {
    maxAttempts: on.length === 0 ? 1 : 3,
    on: new Set(on.filter((token) => !/^\d+$/.test(token))),
    statusCodes: new Set(on.filter((token) => /^\d+$/.test(token)).map(Number)),
    perTryTimeoutMs: 0,
    backoffBaseMs: 25,
    backoffMaxMs: 250,
    avoidPreviousHosts: true,
    retryRemoteLocalities: false,
    tokens: on,
    ...others,
  };
}

/** An empty `outlierDetection`. */
export function fakeOutlier(policy: Partial<OutlierPolicy> = {}): OutlierPolicy {
  return {
    consecutiveErrors: 5,
    consecutiveGatewayErrors: 0,
    splitsLocalErrors: false,
    consecutiveLocalErrors: 5,
    errorStatuses: [],
    intervalMs: 10_000,
    baseEjectionMs: 30_000,
    maxEjectionMs: 300_000,
    maxEjectionRatio: 0.1,
    minHealthRatio: 0,
    ...policy,
  };
}

/** A rule that matches everything and forwards to its clusters. */
export function fakeRoute(host: string, { to = host, retry, ...others }: FakeRoute = {}): Route {
  const weights = typeof to === "string" ? { [to]: 1 } : to;
  const destinations = Object.entries(weights).map(
    ([cluster, weight]): Destination => ({ cluster, host: cluster, port: 80, subset: "", weight }),
  );
  return {
    name: "default",
    resource: null,
    path: "",
    matches: [],
    action: { kind: "forward", destinations, totalWeight: destinations.reduce((sum, { weight }) => sum + weight, 0) },
    rewrite: undefined,
    timeoutMs: 0,
    retry: fakeRetry(retry),
    fault: undefined,
    mirrors: [],
    cors: undefined,
    requestHeaders: undefined,
    responseHeaders: undefined,
    ...others,
  };
}

/** @param spec with nothing in it: a mesh that knows nobody */
export function fakeSnapshot({
  version = 1,
  outboundPolicy = "ALLOW_ANY",
  mode = "on",
  withPolicy,
  server = NO_SERVER_POLICY,
  client = "",
  clusters = {},
  hosts = Object.fromEntries(Object.keys(clusters).map((name) => [name, [{}]])),
}: FakeSnapshotSpec = {}): Snapshot {
  const made = new Map(Object.entries(clusters).map(([name, cluster]) => [name, fakeCluster(name, cluster)]));
  const virtualHosts = new Map(
    Object.entries(hosts).map(([host, routes]) => [
      host,
      fakeVirtualHost(host, routes, made.get(host)?.cluster.service),
    ]),
  );
  return {
    version,
    revision: `fake-${version}`,
    client: { namespace: "default", service: client, labels: {} },
    mesh: {
      outboundPolicy,
      rootNamespace: "istio-system",
      trustDomain: "cluster.local",
      domain: "cluster.local",
      connectTimeoutMs: 10_000,
      dnsRefreshMs: 60_000,
    },
    mode,
    server,
    security: defaultSecurity("cluster.local"),
    withPolicy: withPolicy && fakeSnapshot({ version, ...withPolicy }),
    services: new Map([...made.values()].map(({ cluster }) => [cluster.host, cluster.service])),
    routes: {
      lookup: (host) => virtualHosts.get(host),
      isOpaque: () => false,
      all: () => [...virtualHosts.values()],
    },
    cluster: (name) => made.get(name)?.cluster,
    endpoints: ({ name }) => made.get(name)?.set ?? { cluster: name, endpoints: [] },
    resources: new Map(),
    problems: [],
  };
}

function fakeVirtualHost(host: string, specs: readonly FakeRoute[], service: Service | undefined): VirtualHost {
  const routes = specs.map((spec) => fakeRoute(host, spec));
  return {
    name: `${host}:80`,
    service,
    port: 80,
    resource: null,
    routes,
    find: (request) =>
      routes.find(({ matches }) => matches.length === 0 || matches.some((match) => match.matches(request))),
  };
}

function fakeCluster(
  name: string,
  spec: FakeCluster | FakeCluster["endpoints"],
): { cluster: Cluster; set: EndpointSet } {
  const given: FakeCluster = "endpoints" in spec ? spec : { endpoints: spec };
  const { endpoints, loadBalancer = "leastRequest", tls, policy, resolution = "static", host = name, told } = given;
  const service: Service = {
    host,
    name: host,
    namespace: "default",
    ports: [{ number: 80, name: "http", protocol: "http" }],
    implicit: false,
    resolution,
    location: "internal",
    exportTo: ["*"],
    addresses: [],
    subjectAltNames: [],
    resource: "",
    ...told,
  };
  const cluster: Cluster = {
    name,
    service,
    host,
    port: 80,
    subset: "",
    labels: {},
    policy: {
      loadBalancer,
      connection: { connectTimeoutMs: 10_000, idleTimeoutMs: 0, maxRequestsPerConnection: 0 },
      ...policy,
      tls: { ...PLAINTEXT, ...tls },
    },
    resource: null,
  };
  return { cluster, set: { cluster: name, endpoints: endpoints.map(fakeEndpoint) } };
}

/** @param spec `address:port`, or with more */
export function fakeEndpoint(spec: FakeCluster["endpoints"][number]): Endpoint {
  const { id, weight = 1, workloads = [], labels = {}, locality } = typeof spec === "string" ? { id: spec } : spec;
  const colon = id.lastIndexOf(":");
  const port = Number(id.slice(colon + 1));
  return { id, address: id.slice(0, colon), port, weight, labels, workloads, ...(locality && { locality }) };
}
