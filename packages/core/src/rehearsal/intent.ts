/**
 * What policy would do with a request before anything is sent: the decisions of the outbound stages (stack/outbound.ts),
 * in their order, without carrying one out. Draws like they do, so that shares come out as they would.
 */

import type { Destination, FaultPolicy, Route, Snapshot, VirtualHost } from "@inmesh/model";
import { canonicalPath } from "../call/canonical-path.js";
import { isCarried } from "../call/carried-headers.js";
import type { InboundContext } from "../call/context.js";
import { preflightAnswer } from "../call/cors.js";
import { TIMEOUT_HEADER } from "../call/mesh-headers.js";
import { type EditableRequest, editRequest } from "../call/request-edit.js";
import { withoutQuery } from "../call/without-query.js";
import { MESH_ERRORS } from "../errors.js";
import { drawDestination } from "../filter/destination.js";
import { isMirrored } from "../mirror/mirror-headers.js";
import type { Random } from "../runtime/random.js";

/** `sent` is the only one that asks an upstream. */
export type IntendedOutcome =
  | "sent"
  | "aborted"
  | "redirect"
  | "directResponse"
  | "preflight"
  | "hostUnknown"
  | "noRoute"
  | "noDestination"
  | "noEndpoint"
  | "tlsUnavailable";

export interface Intent {
  readonly outcome: IntendedOutcome;
  /** What the caller would get; 0 for `sent`, where the upstream says. */
  readonly status: number;
  readonly virtualHost: VirtualHost | undefined;
  readonly route: Route | undefined;
  readonly destination: Destination | undefined;
  /** Injected, in ms; 0 for none. */
  readonly delayMs: number;
  /** Clusters that would get a copy. */
  readonly mirrors: readonly string[];
  readonly edits: Edits;
}

/** Of the request as the upstream would see it. Names in lower case and no values, which may be secret. */
export interface Edits {
  /** Header lines that are not there now. */
  readonly set: readonly string[];
  readonly removed: readonly string[];
  /** Rewritten path without query, and authority; empty when they stay. */
  readonly path: string;
  readonly authority: string;
}

export interface AskedCall extends EditableRequest {
  /** As addressed. */
  readonly host: string;
  readonly port: number;
}

const NONE: readonly string[] = [];
const NO_EDITS: Edits = { set: [], removed: [], path: "", authority: "" };

/**
 * @param snapshot with every policy in force
 * @param context of the inbound request that the call serves
 * @returns undefined for a request that is none of the mesh's, and where its rules are not told yet
 */
export function intend(
  snapshot: Snapshot,
  asked: AskedCall,
  context: InboundContext | undefined,
  random: Random,
): Intent | undefined {
  const { routes, mesh } = snapshot;
  const virtualHost = routes.lookup(asked.host, asked.port);
  const start: Intent = {
    outcome: "sent",
    status: 0,
    virtualHost,
    route: undefined,
    destination: undefined,
    delayMs: 0,
    mirrors: NONE,
    edits: NO_EDITS,
  };
  if (virtualHost === undefined) {
    if (mesh.outboundPolicy === "ALLOW_ANY" || routes.isOpaque(asked.host, asked.port)) return undefined;
    return { ...start, outcome: "hostUnknown", status: MESH_ERRORS.HOST_UNKNOWN.status };
  }
  if (virtualHost.pending !== undefined) return undefined;
  const call = inCanonicalPath(asked, snapshot);
  const route = virtualHost.find(call);
  if (route === undefined) return { ...start, outcome: "noRoute", status: MESH_ERRORS.ROUTE_NOT_FOUND.status };
  const { aborts, delayMs } = drawFault(route.fault, random);
  const intent = { ...start, route, delayMs };
  if (aborts) {
    // It would have gone there: the failure shows where people look for it.
    const destination = route.action.kind === "forward" ? drawDestination(route.action, call, random) : undefined;
    return { ...intent, destination, outcome: "aborted", status: route.fault?.abortStatus || 200 };
  }
  return intendRoute(snapshot, route, call, context, intent, random);
}

function intendRoute(
  snapshot: Snapshot,
  route: Route,
  call: AskedCall,
  context: InboundContext | undefined,
  intent: Intent,
  random: Random,
): Intent {
  const { cors, action } = route;
  if (cors !== undefined && preflightAnswer(cors, call) !== undefined) {
    return { ...intent, outcome: "preflight", status: 200 };
  }
  if (action.kind !== "forward") return { ...intent, outcome: action.kind, status: action.status };
  const destination = drawDestination(action, call, random);
  const drawn = { ...intent, destination };
  const cluster = snapshot.cluster(destination.cluster);
  if (cluster === undefined) {
    const status = action.missingStatus ?? MESH_ERRORS.CLUSTER_NOT_FOUND.status;
    return { ...drawn, outcome: "noDestination", status };
  }
  const { tls, loadBalancer } = cluster.policy;
  if (tls.refusal !== "") return { ...drawn, outcome: "tlsUnavailable", status: MESH_ERRORS.TLS_UNAVAILABLE.status };
  const known = cluster.service.pending !== true; // else a call would wait to hear of them
  if (known && loadBalancer !== "passThrough" && snapshot.endpoints(cluster).endpoints.length === 0) {
    return { ...drawn, outcome: "noEndpoint", status: MESH_ERRORS.NO_ENDPOINT.status };
  }
  const edited = edits(route, destination, call, context);
  return { ...drawn, edits: edited, mirrors: drawMirrors(snapshot, route, call, context, random) };
}

/** As the call would take it on; the real one stays as it is. */
function inCanonicalPath(call: AskedCall, snapshot: Snapshot): AskedCall {
  const path = canonicalPath(call.path, snapshot);
  if (path === call.path) return call;
  const { host, port, method, scheme, authority, headers } = call;
  const header: AskedCall["header"] = (name) => (name === ":path" ? path : call.header(name));
  return { host, port, method, scheme, authority, headers, path, header };
}

/** As the mirror stage draws them; a copy of a copy is none. */
function drawMirrors(
  snapshot: Snapshot,
  { mirrors }: Route,
  call: AskedCall,
  context: InboundContext | undefined,
  random: Random,
): readonly string[] {
  if (mirrors.length === 0 || isMirrored(call, context)) return NONE;
  return mirrors.flatMap(({ destination, ratio }) => {
    if (ratio < 1 && random.next() >= ratio) return [];
    const { cluster } = destination.forRequest?.(call) ?? destination;
    return snapshot.cluster(cluster)?.policy.tls.refusal === "" ? [cluster] : [];
  });
}

/** Two independent draws, as the fault stage makes them. */
function drawFault(fault: FaultPolicy | undefined, random: Random): { aborts: boolean; delayMs: number } {
  if (fault === undefined) return { aborts: false, delayMs: 0 };
  const aborts = fault.abortRatio > 0 && random.next() < fault.abortRatio;
  const delays = fault.delayRatio > 0 && random.next() < fault.delayRatio;
  return { aborts, delayMs: delays ? fault.delayMs : 0 };
}

/** What rules change, and what the mesh itself adds: the time left, the trace of the inbound request. */
function edits(route: Route, destination: Destination, call: AskedCall, context: InboundContext | undefined): Edits {
  const edited = editRequest(route, destination, call);
  const added = ownHeaders(route, call, context);
  const path = edited.path === call.path ? "" : withoutQuery(edited.path);
  const authority = edited.authority === call.authority ? "" : edited.authority;
  if (edited.headers === call.headers && added.length === 0 && path === "" && authority === "") return NO_EDITS;
  const before = lines(call.headers);
  const after = lines(edited.headers);
  const set = [...after].flatMap(([name, value]) => (before.get(name) === value ? [] : [name]));
  const removed = [...before.keys()].filter((name) => !after.has(name));
  return { set: [...set, ...added], removed, path, authority };
}

function ownHeaders(
  { timeoutMs, retry }: Route,
  call: AskedCall,
  context: InboundContext | undefined,
): readonly string[] {
  const bounded = timeoutMs > 0 || retry.perTryTimeoutMs > 0;
  const names = bounded ? [TIMEOUT_HEADER] : [];
  if (context === undefined) return names;
  const { forward } = context;
  const forwarded = forward.filter((name, index) => index % 2 === 0 && isCarried(call, forward, name));
  return [...names, ...forwarded];
}

/** Repeated lines joined. */
function lines(headers: readonly string[]): Map<string, string> {
  const joined = new Map<string, string>();
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index]!.toLowerCase(); // flat pairs: both indices are in range
    const value = headers[index + 1]!;
    const before = joined.get(name);
    joined.set(name, before === undefined ? value : `${before},${value}`);
  }
  return joined;
}
