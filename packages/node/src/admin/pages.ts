/** What the admin endpoint answers, by path. GET never changes anything. */

import { type Explanation, explain, MeshError, type PipelineStatus } from "@inmesh/core";
import {
  clustersView,
  endpointsOut,
  type HealthView,
  type RegistryReading,
  registryDetails,
  registryReading,
  requestsView,
  snapshotInUse,
  snapshotView,
  stackView,
  statsView,
  suspectsOf,
} from "@inmesh/core/admin";
import type { DataPlane } from "../plane/data-plane.js";
import { certsView, identityView } from "./certs-view.js";
import { serverInfo } from "./server-info.js";

export interface Page {
  readonly status: number;
  /** Sent as JSON. */
  readonly body: unknown;
}

type Show = (plane: DataPlane, query: URLSearchParams) => unknown;

const READ: Readonly<Record<string, Show>> = {
  "/server_info": serverInfo,
  "/snapshot": ({ store: { current }, engine, pipeline }) =>
    snapshotView(current && snapshotInUse(current, engine.clusters), pipeline?.problems ?? []),
  "/registry": registryOf,
  "/clusters": ({ engine, pipeline, clock }) => clustersView(engine, suspectsOf(pipeline, clock.now())),
  "/listeners": ({ servers, inbound }) => ({ listeners: servers.listeners, inFlight: inbound.inFlight }),
  "/stats": (plane) => {
    const { engine, inbound, security, settings, identity } = plane;
    const { service, namespace } = settings;
    const beside = { inbound: inbound.read(), registry: registryOf(plane), security: security.read() };
    return statsView(engine, { service, namespace, hasIdentity: identity !== undefined, ...beside });
  },
  "/stack": ({ engine }, query) => stackView(engine, query.get("service") ?? undefined),
  "/requests": ({ engine }, query) => requestsView(engine, limitOf(query)),
  "/certs": certsView,
  "/observed": ({ inbound }) => inbound.observed.read(),
  "/events": ({ events }) => events.view(),
  "/explain": explainPage,
};

const WRITE: Readonly<Record<string, (plane: DataPlane) => unknown>> = {
  "/drain": (plane) => {
    void plane.drain(plane.settings.drainTimeoutMs);
    return { draining: true };
  },
  "/healthcheck/fail": (plane) => {
    plane.failing = true;
    return { failing: true };
  },
  "/healthcheck/ok": (plane) => {
    plane.failing = false;
    return { failing: false };
  },
};

const HEALTH = ["/healthz", "/ready", "/live", "/healthz/ready", "/healthz/live"];

export function findPage(plane: DataPlane, method: string, { pathname, searchParams }: URL): Page {
  const writes = WRITE[pathname];
  if (method === "POST") {
    if (writes !== undefined) return { status: 202, body: writes(plane) };
    return { status: 404, body: { error: `nothing to POST at ${pathname}`, paths: Object.keys(WRITE) } };
  }
  if (writes !== undefined) return { status: 405, body: { error: `${pathname} is changed by POST` } };
  if (pathname === "/live" || pathname === "/healthz/live") return { status: 200, body: { live: true } };
  if (pathname === "/healthz") return healthPage(plane);
  if (pathname === "/ready" || pathname === "/healthz/ready") return readyPage(plane);
  if (pathname === "/")
    return { status: 200, body: { ...serverInfo(plane), paths: [...Object.keys(READ), ...HEALTH] } };
  const show = READ[pathname];
  if (show === undefined) return { status: 404, body: { error: `no page ${pathname}`, paths: Object.keys(READ) } };
  return { status: 200, body: show(plane, searchParams) };
}

/** 503 while no calls should be sent here, with the conditions as the body. */
function readyPage(plane: DataPlane): Page {
  const { ready, draining, failing, pipeline } = plane;
  return {
    status: ready ? 200 : 503,
    body: { ready, config: pipeline?.state ?? "starting", version: pipeline?.version ?? 0, draining, failing },
  };
}

function registryOf({ pipeline, registryUrl, clock }: DataPlane): RegistryReading {
  return registryReading(pipeline, registryUrl, clock);
}

/** As `/ready`, with what is not as it should be: a registry that is away makes nobody unready. */
function healthPage(plane: DataPlane): Page {
  const { ready, draining, failing, pipeline } = plane;
  const registry = registryOf(plane);
  const details = [
    ...registryDetails(registry),
    ...policyDetails(pipeline),
    ...plane.security.problems,
    ...identityDetails(plane),
  ];
  const degraded = details.length > 0 ? "degraded" : "ok";
  const status = draining ? "draining" : failing ? "failing" : ready ? degraded : "starting";
  const body: HealthView = { status, details, registry };
  return { status: ready ? 200 : 503, body };
}

function identityDetails(plane: DataPlane): string[] {
  const { state, reason = "" } = identityView(plane);
  if (state === "off" || state === "ready") return [];
  return [state === "expired" ? `its certificate has expired: ${reason}` : `its certificate: ${reason || state}`];
}

function policyDetails(pipeline: PipelineStatus | undefined): string[] {
  if (pipeline?.state !== "degraded") return [];
  const { refused, problems } = pipeline;
  const first = refused[0]?.problems[0] ?? problems.find(({ severity }) => severity === "error");
  const text = first === undefined ? "" : `: ${first.code} ${first.resource || first.file}`;
  return [`something that is written is not in force${text}`];
}

/** `?method=GET&url=http://reviews/x&header=k:v`, header repeated as needed. Nothing is sent. */
function explainPage({ store, engine, settings }: DataPlane, query: URLSearchParams): Explanation {
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
  return explain(snapshotInUse(current, clusters), asked, { onlyObserves, outOf: endpointsOut(clusters, clock) });
}

function limitOf(query: URLSearchParams): number | undefined {
  const limit = Number(query.get("limit") ?? Number.NaN);
  return Number.isInteger(limit) && limit >= 0 ? limit : undefined;
}
