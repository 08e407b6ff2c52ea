/** What the admin endpoint answers, by path. GET never changes anything. */

import { type Explanation, explain, MeshError } from "@inmesh/core";
import {
  type ClustersView,
  clusterStatuses,
  clustersOf,
  clustersView,
  endpointsOut,
  type LiveExplanation,
  listenerStatuses,
  liveExplanation,
  type OutcomesView,
  outcomesOf,
  requestsView,
  type SnapshotView,
  snapshotInUse,
  snapshotView,
  stackView,
  statsView,
  suspectsOf,
} from "@inmesh/core/admin";
import type { DataPlane } from "../plane/data-plane.js";
import { metricsFilter } from "../telemetry/metrics-filter.js";
import { certsView } from "./certs-view.js";
import { configDump } from "./config-dump.js";
import { HEALTH_QUESTIONS, type HealthQuestion, healthPage, registryOf } from "./health.js";
import { loggingPage, setLogging } from "./logging-page.js";
import { failedPage, okPage, type Page } from "./page.js";
import {
  certsText,
  clustersText,
  eventsText,
  explanationText,
  indexText,
  listenersText,
  statsText,
} from "./page-text.js";
import { memoryPage, Profiler } from "./profile.js";
import { rawResources } from "./raw-dump.js";
import { serverInfo } from "./server-info.js";

export type { Page } from "./page.js";

export type Show = (plane: DataPlane, query: URLSearchParams) => Page | Promise<Page>;

const asJson =
  (show: (plane: DataPlane, query: URLSearchParams) => unknown): Show =>
  (plane, query) =>
    okPage(show(plane, query));

const withText =
  <View>(show: (plane: DataPlane, query: URLSearchParams) => View, text: (view: View) => string): Show =>
  (plane, query) => {
    const view = show(plane, query);
    return okPage(view, () => text(view));
  };

const READ: Readonly<Record<string, Show>> = {
  "/server_info": asJson(serverInfo),
  "/snapshot": asJson(({ store: { current }, engine, pipeline }): SnapshotView => {
    const policyOf = pipeline?.source.policyOf;
    const view = snapshotView(current && snapshotInUse(current, engine.clusters), pipeline?.problems ?? []);
    return { ...view, ...(policyOf && { policyOf }) };
  }),
  "/config_dump": asJson(configDump),
  "/registry": asJson(registryOf),
  "/clusters": withText(clustersPage, clustersText),
  "/listeners": withText(listenersOf, listenersText),
  "/stats": withText((plane) => {
    const { engine, inbound, security, settings, identity } = plane;
    const { service, namespace } = settings;
    const { active: activeMs, idle: idleMs } = performance.eventLoopUtilization();
    const beside = { inbound: inbound.read(), registry: registryOf(plane), security: security.read() };
    return statsView(engine, {
      service,
      namespace,
      hasIdentity: identity !== undefined,
      loop: { activeMs, idleMs },
      ...beside,
    });
  }, statsText),
  "/stats/prometheus": metricsPage,
  "/stack": asJson(({ engine }, query) => stackView(engine, query.get("service") ?? undefined)),
  "/requests": asJson(({ engine }, query) => requestsView(engine, limitOf(query))),
  "/outcomes": asJson(outcomesPage),
  "/certs": withText(certsView, certsText),
  "/observed": asJson(({ inbound }) => inbound.observed.read()),
  "/events": withText(({ events }) => events.view(), eventsText),
  "/explain": withText(explanationOf, explanationText),
  "/memory": () => memoryPage(),
  "/logging": loggingPage,
};

const profiler = new Profiler();

const drained: Show = (plane) => {
  void plane.drain(plane.settings.drainTimeoutMs);
  return { status: 202, body: { draining: true } };
};
const failing =
  (failing: boolean): Show =>
  (plane) => {
    plane.failing = failing;
    return { status: 202, body: { failing } };
  };

const WRITE: Readonly<Record<string, Show>> = {
  "/drain": drained,
  "/quitquitquit": drained, // Envoy's name
  "/healthcheck/fail": failing(true),
  "/healthcheck/ok": failing(false),
  "/reset_counters": ({ engine, inbound, metrics }) => {
    engine.resetCounters();
    metrics?.reset();
    inbound.resetCounters();
    return { status: 202, body: { reset: true } };
  },
  "/logging": setLogging,
  "/cpuprofile": (plane, query) => profiler.cpu(plane, query),
  "/heapsnapshot": (plane) => profiler.heap(plane),
};

const HEALTH: ReadonlyMap<string, HealthQuestion> = new Map<string, HealthQuestion>([
  ...HEALTH_QUESTIONS.map((question) => [`/healthz${question}`, question] as const),
  ["/ready", "/ready"],
  ["/live", "/live"],
]);

/** Whether a path tells of health, and therefore nothing that must be kept from anybody. */
export function tellsHealth(pathname: string): boolean {
  return HEALTH.has(pathname);
}

export function findPage(plane: DataPlane, method: string, url: URL): Page | Promise<Page> {
  if (method !== "POST") return readPage(plane, url);
  const { pathname, searchParams } = url;
  const write = WRITE[pathname];
  if (write !== undefined) return write(plane, searchParams);
  return failedPage(404, `nothing to POST at ${pathname}`, { paths: Object.keys(WRITE) });
}

/** What anybody may read who may read at all: changes nothing, and has no secret in it. */
export function readPage(plane: DataPlane, { pathname, searchParams }: URL): Page | Promise<Page> {
  if (WRITE[pathname] !== undefined && READ[pathname] === undefined)
    return failedPage(405, `${pathname} is asked for by POST`);
  const question = HEALTH.get(pathname);
  if (question !== undefined) return healthPage(plane, question);
  if (pathname === "/") return indexPage(plane);
  const show = READ[pathname];
  return show?.(plane, searchParams) ?? failedPage(404, `no page ${pathname}`, { paths: Object.keys(READ) });
}

function indexPage(plane: DataPlane): Page {
  const info = serverInfo(plane);
  const paths = [...Object.keys(READ), ...HEALTH.keys()];
  const writes = Object.keys(WRITE);
  return okPage({ ...info, paths, writes }, () => indexText(info, paths, writes));
}

/** For Prometheus; `?filter=regex` and `?usedonly` as Envoy has them. */
function metricsPage({ metrics }: DataPlane, query: URLSearchParams): Page {
  if (metrics === undefined) return failedPage(503, "the mesh has not started yet");
  const filter = metricsFilter(query);
  if (typeof filter === "string") return failedPage(400, filter);
  const usedOnly = query.has("usedonly");
  return { ...okPage({}), pieces: (accept) => metrics.scrape({ accept, usedOnly, ...filter }) };
}

/** Whoever asks for JSON as Envoy is asked for it gets what Envoy has, too. */
function clustersPage(
  plane: DataPlane,
  query: URLSearchParams,
): ClustersView & { cluster_statuses?: readonly unknown[] } {
  const { engine, pipeline, clock, store } = plane;
  const view = clustersView(engine, suspectsOf(pipeline, clock.now()));
  const { current } = store;
  if (query.get("format") !== "json" || current === undefined) return view;
  const seen = snapshotInUse(current, engine.clusters);
  const told = rawResources(plane.xds, "clusters")?.flatMap(({ name }) => seen.cluster(name) ?? []);
  return { ...view, cluster_statuses: clusterStatuses(seen, told ?? clustersOf(seen), view) };
}

function listenersOf({ servers, inbound, security }: DataPlane, query: URLSearchParams) {
  const { ports } = security.read();
  const listeners = servers.listeners.map((listener) => {
    const { mode = "PERMISSIVE", source = "", tls = "mesh" } = ports.find(({ port }) => port === listener.port) ?? {};
    return { ...listener, mtls: mode, source, tls };
  });
  const known = query.get("format") === "json" ? { listener_statuses: listenerStatuses(listeners) } : {};
  return { listeners, inFlight: inbound.inFlight, ...known };
}

/** With how the endpoints are doing, as this process sees them; null where it has called none of them. */
type LiveAnswer = Explanation & { readonly live: LiveExplanation | null };

/** `?method=GET&url=http://reviews/x&header=k:v`, header repeated as needed. Nothing is sent. */
function explanationOf(plane: DataPlane, query: URLSearchParams): LiveAnswer {
  const { store, engine, settings, pipeline } = plane;
  const { current } = store;
  if (current === undefined) throw new MeshError("CONFIG_UNAVAILABLE", "there is no configuration to explain with yet");
  const url = query.get("url");
  if (url === null) throw new MeshError("CONFIG_INVALID", "url is missing: /explain?method=GET&url=http://reviews/");
  const headers: Record<string, string[]> = Object.create(null);
  for (const line of query.getAll("header")) {
    const at = line.indexOf(":");
    if (at < 1) throw new MeshError("CONFIG_INVALID", `header ${JSON.stringify(line)} is not of the form name:value`);
    const name = line.slice(0, at).trim().toLowerCase();
    headers[name] = [...(headers[name] ?? []), line.slice(at + 1).trim()];
  }
  const asked = { method: query.get("method") ?? "GET", url, headers };
  const { clusters, clock } = engine;
  const onlyObserves = settings.mode === "observe";
  const outOf = endpointsOut(clusters, clock);
  const explained = explain(snapshotInUse(current, clusters), asked, { onlyObserves, outOf });
  const seen = clustersView(engine, suspectsOf(pipeline, clock.now()));
  const { namespace, service } = settings;
  const { instance } = plane;
  const process = `${namespace}/${instance.startsWith(service) ? instance : `${service}-${instance}`}`; // as commands name it
  const live = liveExplanation(explained, [{ process, clusters: seen, requests: requestsView(engine) }]);
  return { ...explained, live };
}

/** `?id=` of a trace or a request, `?failed=1`, `?limit=n`: newest first. */
function outcomesPage({ engine, settings, instance }: DataPlane, query: URLSearchParams): OutcomesView {
  const { namespace, service } = settings;
  const id = query.get("id");
  const limit = limitOf(query);
  const asked = { ...(id !== null && { id }), failed: query.has("failed"), ...(limit !== undefined && { limit }) };
  return { namespace, service, instance, outcomes: outcomesOf(engine.recorder.read(), asked) };
}

function limitOf(query: URLSearchParams): number | undefined {
  const limit = Number(query.get("limit") ?? Number.NaN);
  return Number.isInteger(limit) && limit >= 0 ? limit : undefined;
}
