/**
 * What the mesh would do with a request, and why, without sending it. Asks the same functions as the data path: the
 * snapshot's lookup and find, and the edits of ../call/.
 */

import type {
  Cluster,
  Destination,
  FaultPolicy,
  HeaderOps,
  MatchRequest,
  MirrorPolicy,
  Route,
  RouteAction,
  Snapshot,
  VirtualHost,
} from "@inmesh/model";
import { endpointId } from "@inmesh/model";
import { canonicalPath } from "../call/canonical-path.js";
import { corsOps, preflightAnswer } from "../call/cors.js";
import { percentOf } from "../call/percent.js";
import { editRequest, expandValue, orderedOps, requestAsSent } from "../call/request-edit.js";
import { MESH_ERRORS } from "../errors.js";
import { AskedRequest } from "./asked-request.js";
import type {
  ExplainedDestination,
  ExplainedMirror,
  ExplainedTls,
  ExplainRequest,
  Explanation,
} from "./explanation.js";
import { originsOf } from "./origins.js";
import { passedBy } from "./passed-by.js";
import { lookupStep, matchSteps, mirroringStep, modeStep, OBSERVES, outStep, sendingStep } from "./steps.js";
import { tlsText } from "./tls-text.js";
import { placeIn } from "./written.js";

export interface ExplainOptions {
  /** The process was started to observe: its requests go out as if the mesh were not there. @default false */
  readonly onlyObserves?: boolean;
  /** Endpoints of a cluster that get no calls now and why, as far as somebody knows. @default nobody does */
  readonly outOf?: (cluster: string) => readonly string[];
}

/** @throws {MeshError} `CONFIG_INVALID` when `asked` is no request */
export function explain(
  snapshot: Snapshot,
  asked: ExplainRequest,
  { onlyObserves = false, outOf }: ExplainOptions = {},
): Explanation {
  const request = new AskedRequest(asked);
  const explainWith = (of: Snapshot): Explanation => withHealth(explainBy(of, new AskedRequest(asked)), outOf);
  const { withPolicy } = snapshot;
  if (withPolicy === undefined && !onlyObserves) return explainWith(snapshot);
  const would = explainWith(withPolicy ?? snapshot);
  if (onlyObserves) return { ...blank(snapshot, request, undefined, [OBSERVES]), would };
  const answer = explainWith(snapshot);
  return { ...answer, steps: [modeStep(snapshot, would), ...answer.steps], would };
}

/** Besides what policy says: who is left out at the moment. */
function withHealth(answer: Explanation, outOf: ExplainOptions["outOf"]): Explanation {
  if (outOf === undefined) return answer;
  const destinations = answer.destinations.map((each) => ({ ...each, out: outOf(each.cluster) }));
  const steps = destinations.filter(({ out }) => out.length > 0).map(outStep);
  return steps.length === 0 ? answer : { ...answer, destinations, steps: [...answer.steps, ...steps] };
}

function explainBy(snapshot: Snapshot, request: AskedRequest): Explanation {
  const virtualHost = snapshot.routes.lookup(request.host, request.port);
  if (virtualHost !== undefined) request.path = canonicalPath(request.path, snapshot);
  const answer = blank(snapshot, request, virtualHost, [lookupStep(request, virtualHost, snapshot)]);
  if (virtualHost === undefined) {
    const { mesh, routes } = snapshot;
    if (mesh.outboundPolicy === "ALLOW_ANY" || routes.isOpaque(request.host, request.port)) return answer;
    return { ...answer, outcome: "unknownHost", status: MESH_ERRORS.HOST_UNKNOWN.status };
  }
  if (virtualHost.pending !== undefined) return { ...answer, outcome: "pending" };
  return explainRoute(snapshot, virtualHost, request, answer);
}

function blank(
  snapshot: Snapshot,
  request: AskedRequest,
  virtualHost: VirtualHost | undefined,
  steps: readonly string[],
): Explanation {
  return {
    host: request.host,
    virtualHost: virtualHost?.name ?? null,
    route: null,
    outcome: "passThrough",
    status: null,
    destinations: [],
    request: upstreamRequest(request, request),
    timeoutMs: 0,
    retries: null,
    fault: null,
    mirrors: [],
    redirect: null,
    directResponse: null,
    responseHeaders: { set: {}, add: {}, remove: [] },
    passedBy: [],
    origins: [],
    steps,
    snapshot: { version: snapshot.version, revision: snapshot.revision, mode: snapshot.mode },
    would: null,
  };
}

function explainRoute(
  snapshot: Snapshot,
  virtualHost: VirtualHost,
  request: AskedRequest,
  start: Explanation,
): Explanation {
  const route = virtualHost.find(request);
  const passed = passedBy(snapshot, virtualHost, route, request);
  const steps = [...start.steps, ...matchSteps(snapshot, passed, route, request)];
  if (route === undefined) {
    return { ...start, outcome: "notFound", status: MESH_ERRORS.ROUTE_NOT_FOUND.status, passedBy: passed, steps };
  }
  const answer = explainFound(snapshot, route, request, { ...start, passedBy: passed, steps });
  return { ...answer, origins: originsOf(snapshot, route, answer) };
}

function explainFound(snapshot: Snapshot, route: Route, request: AskedRequest, start: Explanation): Explanation {
  const aborted = route.fault !== undefined && route.fault.abortRatio >= 1;
  // An injected abort comes before the CORS filter.
  const passed = aborted ? { ...route, cors: undefined } : route;
  const answer: Explanation = {
    ...start,
    route: { name: route.name, ...placeIn(snapshot, route.resource, route.path) },
    timeoutMs: route.timeoutMs,
    fault: route.fault === undefined ? null : explainedFault(route.fault),
    mirrors: route.mirrors.map((mirror) => explainedMirror(snapshot, mirror, request)),
    responseHeaders: responseHeaders(passed, heaviestOf(route.action), request),
  };
  if (aborted) return { ...answer, outcome: "fault", status: route.fault.abortStatus || 200 };
  return explainPreflight(route, request, answer) ?? explainAction(snapshot, route, request, answer);
}

function explainPreflight({ cors }: Route, request: AskedRequest, answer: Explanation): Explanation | undefined {
  if (cors === undefined) return undefined;
  const preflight = preflightAnswer(cors, request);
  if (preflight === undefined) return undefined;
  return {
    ...answer,
    outcome: "directResponse",
    status: 200,
    directResponse: { status: 200, body: "" },
    responseHeaders: { set: Object.fromEntries(pairs(preflight)), add: {}, remove: [] },
    steps: [...answer.steps, `${cors.field} answers the preflight itself`],
  };
}

function explainAction(snapshot: Snapshot, route: Route, request: AskedRequest, answer: Explanation): Explanation {
  const { action } = route;
  if (action.kind === "redirect") {
    const { status } = action;
    return { ...answer, outcome: "redirect", status, redirect: { status, location: action.location(request) } };
  }
  if (action.kind === "directResponse") {
    const { status, body = "" } = action;
    const text = typeof body === "string" ? body : new TextDecoder().decode(body);
    const sent = request.method === "HEAD" ? "" : text;
    return { ...answer, outcome: "directResponse", status, directResponse: { status, body: sent } };
  }
  const { retry } = route;
  const destinations = action.destinations.map((each) =>
    explainedDestination(snapshot, each.forRequest?.(request) ?? each),
  );
  const heaviest = heaviestOf(action);
  const edited = editRequest(route, heaviest, request);
  const missingStatus = action.missingStatus ?? MESH_ERRORS.CLUSTER_NOT_FOUND.status;
  const missing = destinations.every(({ cluster }) => snapshot.cluster(cluster) === undefined);
  const refused = destinations.every(({ tls }) => tls !== null && tls.refusal !== "");
  return {
    ...answer,
    outcome: missing ? "noDestination" : "route",
    status: missing ? missingStatus : refused ? MESH_ERRORS.TLS_UNAVAILABLE.status : null,
    destinations,
    request: upstreamRequest(request, edited),
    retries: { attempts: retry.maxAttempts - 1, perTryTimeoutMs: retry.perTryTimeoutMs, retryOn: retry.tokens },
    // Of a request that goes nowhere nothing was edited.
    responseHeaders: responseHeaders(route, heaviest, missing ? request : requestAsSent(request, edited)),
    steps: [
      ...answer.steps,
      ...destinations.map((destination) => sendingStep(snapshot, destination, missingStatus)),
      ...answer.mirrors.map((mirror) => mirroringStep(snapshot, mirror)),
    ],
  };
}

/** Of several destinations the one whose request is shown. */
function heaviestOf(action: RouteAction): Destination | undefined {
  if (action.kind !== "forward") return undefined;
  return action.destinations.reduce((best, each) => (each.weight > best.weight ? each : best));
}

function upstreamRequest(
  { method }: AskedRequest,
  { path, authority, headers }: { path: string; authority: string; headers: readonly string[] },
): Explanation["request"] {
  const joined = new Map<string, string>();
  for (const [name, value] of pairs(headers)) {
    const before = joined.get(name.toLowerCase());
    joined.set(name.toLowerCase(), before === undefined ? value : `${before},${value}`);
  }
  return { method, path, authority, headers: Object.fromEntries(joined) };
}

function explainedFault(fault: FaultPolicy): NonNullable<Explanation["fault"]> {
  return {
    delayMs: fault.delayMs,
    delayPercent: fault.delayRatio * 100,
    abortStatus: fault.abortStatus,
    abortGrpcStatus: fault.abortGrpcStatus ?? null,
    abortPercent: fault.abortRatio * 100,
  };
}

function explainedDestination(snapshot: Snapshot, destination: Destination): ExplainedDestination {
  const { cluster, host, port, subset, weight } = destination;
  const known = snapshot.cluster(cluster);
  const endpoints = known === undefined ? [] : snapshot.endpoints(known).endpoints;
  const lookedUp = endpoints.flatMap(({ dnsName, address, port: at }) =>
    dnsName === undefined ? [] : [endpointId(address, at)],
  );
  const tls = known === undefined ? null : explainedTls(snapshot, known);
  const pending = known?.service.pending;
  const now = { endpoints: endpoints.length, ...(pending && { pending }), lookedUp, out: [] };
  return { cluster, host, port, subset, weight, ...now, tls };
}

function explainedTls(snapshot: Snapshot, cluster: Cluster): ExplainedTls | null {
  const { tls } = cluster.policy;
  const { mode, sni, subjectAltNames, verifiesServerName, insecureSkipVerify, caCertificates, caCrl } = tls;
  const { refusal, source, auto = false, identities, clientCertificate, privateKey } = tls;
  if (mode === "DISABLE" && !auto) return null;
  const written = placeIn(snapshot, source?.resource ?? null, source?.path ?? "");
  const asked = { mode, sni, subjectAltNames, verifiesServerName, insecureSkipVerify, caCertificates, caCrl, refusal };
  const ofMesh = { auto, identities, clientCertificate, privateKey };
  return { ...asked, ...ofMesh, text: tlsText(cluster), ...written, resource: written.resource ?? "" };
}

function explainedMirror(
  snapshot: Snapshot,
  { destination, ratio, field }: MirrorPolicy,
  request: AskedRequest,
): ExplainedMirror {
  const meant = destination.forRequest?.(request) ?? destination;
  const { weight: _, lookedUp: __, out: ___, tls: ____, ...where } = explainedDestination(snapshot, meant);
  return { ...where, percent: percentOf(ratio), field };
}

/** Both levels as one: what a later one sets or removes is what the caller sees. */
function responseHeaders(
  route: Route,
  destination: Destination | undefined,
  request: MatchRequest,
): Explanation["responseHeaders"] {
  const set = new Map<string, string>();
  const add = new Map<string, string>();
  const remove = new Set<string>();
  const apply = (ops: HeaderOps): void => {
    for (const name of ops.remove) {
      set.delete(name);
      add.delete(name);
      remove.add(name);
    }
    for (const [name, written] of ops.set) {
      const value = expandValue(written, request);
      if (value === "") continue; // changes nothing
      add.delete(name);
      set.set(name, value);
    }
    for (const [name, written] of ops.add) {
      const value = expandValue(written, request);
      if (value === "") continue;
      const before = add.get(name);
      add.set(name, before === undefined ? value : `${before},${value}`);
    }
  };
  for (const ops of orderedOps(route.responseHeaders, destination?.responseHeaders)) apply(ops);
  if (route.cors !== undefined) apply(corsOps(route.cors, request));
  return { set: Object.fromEntries(set), add: Object.fromEntries(add), remove: [...remove] };
}

function pairs(flat: readonly string[]): [name: string, value: string][] {
  return flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1] ?? ""]] : []));
}
