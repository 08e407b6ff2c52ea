/** A mesh for tests: a snapshot built by hand, an engine over it, services on real sockets. */

import { createServer, type RequestListener, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { type Call, type Clock, Engine, type Identity, type NameResolver } from "@inmesh/core";
import type { EndpointState, HealthProber } from "@inmesh/core/internal";
import type {
  ClientTls,
  Cluster,
  ConnectionPolicy,
  Endpoint,
  Resolution,
  Route,
  Service,
  Snapshot,
  TrafficPolicy,
  VirtualHost,
} from "@inmesh/model";
import { clusterName, defaultSecurity, PLAINTEXT } from "@inmesh/model";
import * as undici from "undici";
import { SnapshotStore } from "../../core/src/snapshot/store.js";
import { HttpClient } from "../src/client/client.js";
import type { Notices } from "../src/client/notices.js";
import { HttpTransport } from "../src/client/transport.js";
import { MeshDispatcher } from "../src/undici/mesh-dispatcher.js";

/** For tests of packages that have no undici of their own. */
export { connect, request, upgrade } from "undici";

export interface FakeService {
  /** Ports on 127.0.0.1, or whole endpoints. */
  readonly endpoints: readonly (number | Endpoint)[];
  readonly route?: Partial<Route>;
  /** Istio's `attempts`; needs `on`. */
  readonly retry?: Partial<Route["retry"]>;
  readonly connection?: Partial<ConnectionPolicy>;
  /** What is left out is as in plaintext. @default plaintext */
  readonly tls?: Partial<ClientTls>;
  /** Any other part of its policy. @default none */
  readonly policy?: Partial<TrafficPolicy>;
  /** @default 80 */
  readonly port?: number;
  /** @default "static" */
  readonly resolution?: Resolution;
}

export interface FakeMesh {
  readonly engine: Engine;
  readonly transport: HttpTransport;
  readonly client: HttpClient;
  readonly dispatcher: MeshDispatcher;
  /** Calls that ended, in order. */
  readonly calls: Call[];
  publish(services: Readonly<Record<string, FakeService>>, outboundPolicy?: "ALLOW_ANY" | "REGISTRY_ONLY"): void;
  close(): Promise<void>;
}

const NO_RETRY: Route["retry"] = {
  maxAttempts: 1,
  on: new Set(),
  statusCodes: new Set(),
  perTryTimeoutMs: 0,
  backoffBaseMs: 0,
  backoffMaxMs: 0,
  avoidPreviousHosts: true,
  retryRemoteLocalities: false,
  tokens: [],
};

/** Istio's defaults with `attempts` further tries. */
export function retries(attempts: number, on: readonly string[], more: Partial<Route["retry"]> = {}): Route["retry"] {
  return { ...NO_RETRY, maxAttempts: attempts + 1, on: new Set(on), tokens: on, ...more };
}

export interface FakeMeshOptions {
  readonly outboundPolicy?: "ALLOW_ANY" | "REGISTRY_ONLY";
  readonly configWaitMs?: number;
  /** For the transport alone; the engine's is real. */
  readonly transportClock?: Clock;
  /** The engine's. */
  readonly clock?: Clock;
  readonly resolver?: NameResolver;
  readonly notices?: Notices;
  readonly onHealth?: (message: string) => void;
  readonly healthProber?: HealthProber;
  /** Answers say where the time went. */
  readonly timing?: boolean;
  /** It is known of everything for how long this process stood still. */
  readonly timesStalls?: boolean;
  /** The transport's. */
  readonly identity?: Identity;
  /** The transport's. */
  readonly onNotice?: (message: string) => void;
}

/** @param services undefined leaves the mesh without a snapshot */
export function fakeMesh(
  services?: Readonly<Record<string, FakeService>>,
  {
    outboundPolicy = "ALLOW_ANY",
    configWaitMs = 5_000,
    transportClock,
    notices,
    onNotice,
    identity,
    ...given
  }: FakeMeshOptions = {},
): FakeMesh {
  const store = new SnapshotStore();
  let version = 0;
  let endpoints = new Map<string, Endpoint>();
  const holder: { removed: (state: EndpointState) => void } = { removed: () => {} };
  const engine = new Engine({ ...given, store, configWaitMs, onEndpointRemoved: (state) => holder.removed(state) });
  const transport = new HttpTransport({
    clock: transportClock ?? engine.clock,
    undici: () => undici,
    identity,
    ...(onNotice && { onNotice }),
  });
  holder.removed = transport.onEndpointRemoved;
  const client = new HttpClient({ engine, transport, undici: () => undici, notices });
  const dispatcher = new MeshDispatcher({ engine, transport, notices });
  const calls: Call[] = [];
  engine.observe({ callEnded: (call) => void calls.push(call) });
  const publish: FakeMesh["publish"] = (next, policy = outboundPolicy) => {
    const made = fakeSnapshot(++version, next, policy, endpoints);
    endpoints = made.endpoints;
    store.publish(made.snapshot);
  };
  if (services !== undefined) publish(services);
  return {
    engine,
    transport,
    client,
    dispatcher,
    calls,
    publish,
    async close() {
      engine.close();
      await transport.destroy(new Error("the test is over"));
    },
  };
}

function fakeSnapshot(
  version: number,
  services: Readonly<Record<string, FakeService>>,
  outboundPolicy: "ALLOW_ANY" | "REGISTRY_ONLY",
  known: ReadonlyMap<string, Endpoint>,
): { snapshot: Snapshot; endpoints: Map<string, Endpoint> } {
  const hosts = new Map<string, VirtualHost>();
  const clusters = new Map<string, Cluster>();
  const sets = new Map<string, { cluster: string; endpoints: Endpoint[] }>();
  const endpoints = new Map<string, Endpoint>();
  for (const [
    name,
    { endpoints: given, route, retry, connection, tls, policy, port = 80, resolution = "static" },
  ] of Object.entries(services)) {
    const host = `${name}.default.svc.cluster.local`;
    const service: Service = {
      host,
      name,
      namespace: "default",
      ports: [{ number: port, name: "http", protocol: "http" }],
      implicit: true,
      resolution,
      location: "internal",
      exportTo: ["*"],
      addresses: [],
      subjectAltNames: [],
      resource: "",
    };
    const cluster: Cluster = {
      name: clusterName(port, "", host),
      service,
      host,
      port,
      subset: "",
      labels: {},
      policy: {
        loadBalancer: "roundRobin",
        connection: { connectTimeoutMs: 10_000, idleTimeoutMs: 0, maxRequestsPerConnection: 0, ...connection },
        ...policy,
        tls: { ...PLAINTEXT, ...tls },
      },
      resource: null,
    };
    clusters.set(cluster.name, cluster);
    const list = given.map((each): Endpoint => {
      const endpoint: Endpoint =
        typeof each === "number"
          ? { id: `127.0.0.1:${each}`, address: "127.0.0.1", port: each, weight: 1, labels: {}, workloads: [] }
          : each;
      const key = `${cluster.name} ${endpoint.id}`;
      const before = known.get(key);
      const same = before !== undefined && JSON.stringify(before) === JSON.stringify(endpoint) ? before : endpoint;
      endpoints.set(key, same);
      return same;
    });
    sets.set(cluster.name, { cluster: cluster.name, endpoints: list });
    const made = {
      name: "default",
      resource: null,
      path: "",
      matches: [],
      action: {
        kind: "forward",
        destinations: [{ cluster: cluster.name, host, port, subset: "", weight: 1 }],
        totalWeight: 1,
      },
      rewrite: undefined,
      timeoutMs: 0,
      retry: retry === undefined ? NO_RETRY : { ...NO_RETRY, ...retry },
      fault: undefined,
      mirrors: [],
      requestHeaders: undefined,
      responseHeaders: undefined,
      ...route,
    } as Route;
    const virtualHost: VirtualHost = {
      name: `${host}:${port}`,
      service,
      port,
      resource: null,
      routes: [made],
      find: () => made,
    };
    for (const alias of [name, host]) hosts.set(`${alias}:${port}`, virtualHost);
    if (port === 80) for (const alias of [name, host]) hosts.set(`${alias}:443`, virtualHost);
  }
  const snapshot = {
    version,
    revision: String(version),
    client: { namespace: "default", service: "test", labels: {} },
    mesh: {
      outboundPolicy,
      rootNamespace: "istio-system",
      trustDomain: "cluster.local",
      domain: "cluster.local",
      connectTimeoutMs: 10_000,
      dnsRefreshMs: 60_000,
    },
    mode: "on",
    security: defaultSecurity("cluster.local"),
    services: new Map(),
    routes: {
      lookup: (host, port) => hosts.get(`${host.toLowerCase()}:${port}`),
      isOpaque: () => false,
      all: () => [...hosts.values()],
    },
    cluster: (name) => clusters.get(name),
    endpoints: (cluster) => sets.get(cluster.name) ?? { cluster: cluster.name, endpoints: [] },
    resources: new Map(),
    problems: [],
  } satisfies Partial<Snapshot> as unknown as Snapshot;
  return { snapshot, endpoints };
}

export interface TestServer extends AsyncDisposable {
  readonly port: number;
  readonly server: Server;
  /** Sockets open now. */
  readonly sockets: ReadonlySet<Socket>;
  /** Connections accepted so far. */
  readonly accepted: () => number;
}

export async function listen(handler: RequestListener): Promise<TestServer> {
  const server = createServer(handler);
  let accepted = 0;
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    server,
    sockets,
    accepted: () => accepted,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A bare TCP server, for peers that misbehave. */
export async function listenTcp(
  onSocket: (socket: Socket, number: number) => void,
): Promise<{ port: number; accepted: () => number } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    onSocket(socket, ++accepted);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    accepted: () => accepted,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A port on which nobody listens. */
export async function closedPort(): Promise<number> {
  await using server = await listenTcp(() => {});
  return server.port;
}

export async function until(condition: () => boolean, timeoutMs = 3_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > end) throw new Error("waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
