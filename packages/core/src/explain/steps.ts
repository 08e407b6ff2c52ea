/** How an explanation came about, in sentences: the host, each rule that was passed by, the destinations. */

import type { Cluster, Route, Snapshot, VirtualHost } from "@inmesh/model";
import { isGatewayRouteKind, resourceKey } from "@inmesh/model";
import { percentOf } from "../call/percent.js";
import { isNamed } from "../cluster/by-name.js";
import type { AskedRequest } from "./asked-request.js";
import type { ExplainedDestination, ExplainedMirror, ExplainedRoute, Explanation, PassedRule } from "./explanation.js";
import { tlsText } from "./tls-text.js";
import { placeIn } from "./written.js";

/** Rules told one by one before the rest is only counted. */
const MOST_RULES = 50;

/** Of a process that was started with mode `observe`. */
export const OBSERVES =
  "this process runs with mode observe, by its own setting: its requests leave as if the mesh were not there, and no rule applies";

/** Of a service that nobody here has called. */
const UNTOLD = "whose instances the registry tells once it is called: the first call waits for them";

/** Which documents the mode keeps from applying. @param would what policy would do */
export function modeStep({ mode, modeResource, withPolicy }: Snapshot, would: Explanation): string {
  const by = modeResource === undefined ? "the mode" : resourceKey(modeResource);
  const rules = new Set(would.route?.resource ? [would.route.resource] : []);
  for (const { cluster } of would.destinations) {
    const resource = withPolicy?.cluster(cluster)?.resource;
    if (resource) rules.add(`${resourceKey(resource)} (but for its TLS)`);
  }
  const named = [...rules];
  const what = named.length === 0 ? "no rule would" : `${named.join(" and ")} would`;
  return `${by} says mode ${mode} here, so policy does not apply; with mode on ${what}`;
}

export function lookupStep(
  { host, port }: AskedRequest,
  virtualHost: VirtualHost | undefined,
  { mesh, sidecar }: Snapshot,
): string {
  if (virtualHost !== undefined) {
    return `${host}, port ${port}, is ${virtualHost.name}: ${rulesStory(virtualHost)}`;
  }
  const sees = sidecar === undefined ? "sees" : `sees through ${resourceKey(sidecar)}`;
  const what = `no service or VirtualService that this client ${sees} has ${host} on port ${port}`;
  return mesh.outboundPolicy === "ALLOW_ANY"
    ? `${what}: the request leaves as if the mesh were not there`
    : `${what}, and outboundTrafficPolicy is REGISTRY_ONLY: refused`;
}

/** Routes of Gateway API may be several; a VirtualService speaks for its delegates. */
function rulesStory({ resource, routes, pending }: VirtualHost): string {
  if (pending !== undefined) return "its rules are told once it is called: the first call waits for them";
  if (resource === null) return "no VirtualService, HTTPRoute or GRPCRoute applies";
  const all = isGatewayRouteKind(resource.kind) ? routes.map((route) => route.resource ?? resource) : [resource];
  return `rules of ${[...new Set(all.map(resourceKey))].join(" and ")}`;
}

/** Why earlier rules did not match, and where the one that did is written. */
export function matchSteps(
  snapshot: Snapshot,
  passed: readonly PassedRule[],
  found: Route | undefined,
  request: AskedRequest,
): readonly string[] {
  const steps = passed
    .slice(0, MOST_RULES)
    .map((rule) => `${placeText(rule)} does not match: ${rule.reasons.join("; ")}`);
  if (passed.length > MOST_RULES)
    steps.push(`${passed.length - MOST_RULES} more rules do not match: passedBy names them`);
  if (found === undefined) return [...steps, "no rule matches: 404"];
  if (found.resource === null) return [...steps, "the service's default route takes every request"];
  const matched = found.matches.find((match) => match.matches(request));
  const place = placeText({ name: found.name, ...placeIn(snapshot, found.resource, found.path) });
  return [...steps, `${place} matches: ${matched?.text ?? "everything"}`];
}

/** @param missingStatus what the caller gets where the destination does not exist */
export function sendingStep(
  snapshot: Snapshot,
  { cluster, weight, endpoints, lookedUp, pending }: ExplainedDestination,
  missingStatus: number,
): string {
  const known = snapshot.cluster(cluster);
  if (known === undefined) {
    const { sidecar } = snapshot;
    const or = sidecar === undefined ? "" : `, or ${resourceKey(sidecar)} keeps it from its callers`;
    return `${cluster} does not exist: no such service, port or subset${or}. Its share of the requests gets ${missingStatus}`;
  }
  const none = pending ? UNTOLD : "without an endpoint now: 503 until one is there";
  const now = endpoints === 0 ? none : `endpoints: ${endpoints}`;
  const { tls } = known.policy;
  const encrypted = tls.mode === "DISABLE" ? "" : `; TLS ${tlsText(known)}`;
  const secured = tls.auto === true ? "; auto mTLS" : encrypted;
  return `goes to ${cluster}, weight ${weight}, ${now}${namesStory(snapshot, known, lookedUp)}${secured}${dropsStory(snapshot, known)}`;
}

function dropsStory(snapshot: Snapshot, cluster: Cluster): string {
  const { drops = [] } = snapshot.endpoints(cluster);
  return drops.map(({ category, ratio }) => `; ${percentOf(ratio)}% are dropped (${category})`).join("");
}

function namesStory(snapshot: Snapshot, cluster: Cluster, lookedUp: readonly string[]): string {
  if (lookedUp.length > 0) return ` (looked up: ${lookedUp.join(", ")})`;
  const { resolution } = cluster.service;
  if (resolution === "dynamicDns") return " (the request's own host, looked up by the process that calls)";
  if (resolution !== "dns" && resolution !== "dnsRoundRobin") return "";
  const names = snapshot.endpoints(cluster).endpoints.filter(isNamed);
  return names.length === 0 ? "" : ` (${names.map(({ id }) => id).join(", ")}: looked up by the process that calls)`;
}

/** Who gets no calls at the moment. */
export function outStep({ cluster, endpoints, out }: ExplainedDestination): string {
  return `${cluster} has ${endpoints} endpoints, ${Math.max(0, endpoints - out.length)} usable: ${out.join("; ")}`;
}

/** Of one copy. */
export function mirroringStep(
  snapshot: Snapshot,
  { cluster, percent, endpoints, field, pending }: ExplainedMirror,
): string {
  const known = snapshot.cluster(cluster);
  if (known === undefined) return `${field}: ${cluster} does not exist, so no copy is sent; the request is`;
  const { tls } = known.policy;
  if (tls.refusal !== "") return `${field}: ${cluster} asks for TLS ${tls.refusal}, so no copy is sent; the request is`;
  const none = pending ? UNTOLD : "without an endpoint now: it gets lost";
  const now = endpoints === 0 ? none : `endpoints: ${endpoints}`;
  return `${field}: a copy of ${percent}% of the requests goes to ${cluster}, ${now}`;
}

function placeText({ name, path, resource, file, line, column }: ExplainedRoute): string {
  // Of a table that came compiled nothing says where in a document a rule stood.
  const rule =
    name === "default" || name === "" ? path || "the default rule" : path === "" ? `"${name}"` : `"${name}" (${path})`;
  if (resource === null) return rule;
  if (file === "") return `${rule} of ${resource}`;
  // What was translated from another registry's entries has a name and no lines.
  return `${rule} of ${resource}, ${line === 0 ? file : `${file}:${line}:${column}`},`;
}
