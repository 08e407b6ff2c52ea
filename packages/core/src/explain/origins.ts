/** Which field of which document gave each part of an explanation. */

import type { Route, Snapshot } from "@inmesh/model";
import type { ExplainedOrigin, Explanation } from "./explanation.js";
import { placeIn, valueAt, type WrittenRule, writtenRule } from "./written.js";

/** What an explanation says so far. */
type Told = Omit<Explanation, "origins">;

/** A part of the explanation, and a field below a rule that gives it. */
type Giving = readonly [part: string, field: string];

export function originsOf(snapshot: Snapshot, route: Route, told: Told): readonly ExplainedOrigin[] {
  const rule = route.resource === null ? undefined : writtenRule(snapshot, { ...route, resource: route.resource });
  // What a rule leaves out, the rule that delegates to it gives.
  const root = route.delegatedBy && writtenRule(snapshot, route.delegatedBy);
  const given = rule === undefined ? [] : givenBy(rule, root, told).filter(([part]) => isTold(part, told));
  const origins = given.flatMap(([part, field]) => {
    const holder = [rule, root].find((each) => each !== undefined && valueAt(each.value, field) !== undefined);
    if (holder === undefined) return [];
    return [{ part, ...placeIn(snapshot, holder.resource, `${holder.path}.${field}`) }];
  });
  return [
    ...origins,
    ...defaultOrigins(snapshot, origins, told),
    ...told.destinations.flatMap(({ cluster }, at) => destinationOrigins(snapshot, cluster, `destinations[${at}]`)),
  ];
}

/** `destinations[0].subset`, `destinations[0].tls`, … as far as a DestinationRule speaks. */
function destinationOrigins(snapshot: Snapshot, cluster: string, part: string): readonly ExplainedOrigin[] {
  const fields = Object.entries(snapshot.cluster(cluster)?.fields ?? {});
  return fields.map(([name, { resource, path }]) => ({
    part: `${part}.${name}`,
    ...placeIn(snapshot, resource, path),
  }));
}

/** Nothing is said about calls that are not sent, nor about answers that nobody gives. */
function isTold(part: string, { outcome, redirect, directResponse, fault }: Told): boolean {
  if (part === "redirect") return redirect !== null;
  if (part === "directResponse") return directResponse !== null;
  if (part === "fault") return fault !== null;
  if (part === "responseHeaders") return true;
  return outcome === "route" || outcome === "noDestination";
}

/** Where no rule speaks of retries, MeshConfig or nobody does. */
function defaultOrigins(
  snapshot: Snapshot,
  origins: readonly ExplainedOrigin[],
  { retries }: Told,
): readonly ExplainedOrigin[] {
  if (retries === null || origins.some(({ part }) => part === "retries")) return [];
  const key = [...snapshot.resources.keys()].find((each) => each.startsWith("MeshConfig/"));
  const mesh = key === undefined ? undefined : snapshot.resource?.(key);
  const path = "defaultHttpRetryPolicy"; // mesh.yaml has no spec
  const written = mesh !== undefined && valueAt(mesh.spec, path) !== undefined;
  return [{ part: "retries", ...placeIn(snapshot, written ? mesh : null, written ? path : "") }];
}

function givenBy(rule: WrittenRule, root: WrittenRule | undefined, told: Told): readonly Giving[] {
  return rule.resource.kind === "VirtualService" ? byVirtualService(rule, root, told) : byGatewayRoute(rule, told);
}

function byVirtualService(rule: WrittenRule, root: WrittenRule | undefined, told: Told): readonly Giving[] {
  const routes = listAt(rule, "route");
  // Of several destinations those of weight 0 drop out.
  const kept = [...routes.keys()].filter((at) => routes.length === 1 || Number(valueAt(routes[at], "weight") ?? 0) > 0);
  const rewrite = valueAt(rule.value, "rewrite") ?? (root && valueAt(root.value, "rewrite"));
  const ofRoute = kept.map((at) => `route[${at}].headers`);
  return [
    ["redirect", "redirect"],
    ["directResponse", "directResponse"],
    ...(isPreflight(told) ? ([["directResponse", "corsPolicy"]] as const) : []),
    ["fault", "fault"],
    ["timeoutMs", "timeout"],
    ["retries", "retries"],
    ...(["uri", "uriRegexRewrite"] as const).map((field): Giving => ["request.path", `rewrite.${field}`]),
    ["request.authority", "rewrite.authority"],
    ...(valueAt(rewrite, "authority") === undefined
      ? ["headers", ...ofRoute].flatMap((at) => authorityFields(rule, `${at}.request`))
      : []),
    ["request.headers", "headers.request"],
    ...ofRoute.map((at): Giving => ["request.headers", `${at}.request`]),
    ["responseHeaders", "headers.response"],
    ...ofRoute.map((at): Giving => ["responseHeaders", `${at}.response`]),
    ...(told.outcome === "fault" ? [] : ([["responseHeaders", "corsPolicy"]] as const)),
    ...told.mirrors.map(({ field }, at): Giving => [`mirrors[${at}]`, field]),
    ...kept.map((at, position): Giving => [`destinations[${position}]`, `route[${at}]`]),
  ];
}

/** Header operations whose name means the authority. */
function authorityFields(rule: WrittenRule, field: string): readonly Giving[] {
  return (["set", "add"] as const).flatMap((kind) => {
    const names = Object.keys((valueAt(rule.value, `${field}.${kind}`) as object | undefined) ?? {});
    return names.some((name) => /^(?:host|:authority)$/i.test(name))
      ? ([["request.authority", `${field}.${kind}`]] as const)
      : [];
  });
}

function isPreflight({ directResponse, request }: Told): boolean {
  return directResponse !== null && request.method === "OPTIONS";
}

/** Of HTTPRoute and GRPCRoute, whose filters lie in a list. */
function byGatewayRoute(rule: WrittenRule, told: Told): readonly Giving[] {
  const refs = listAt(rule, "backendRefs");
  const kept = [...refs.keys()].filter((at) => refs.length === 1 || valueAt(refs[at], "weight") !== 0);
  const lists = ["filters", ...kept.map((at) => `backendRefs[${at}].filters`)];
  return [
    ...lists.flatMap((list) => filterFields(rule, list, told)),
    ["timeoutMs", "timeouts.request"],
    ["retries", "retry"],
    ["retries", "timeouts.backendRequest"],
    ...told.mirrors.map(({ field }, at): Giving => [`mirrors[${at}]`, field]),
    ...kept.map((at, position): Giving => [`destinations[${position}]`, `backendRefs[${at}]`]),
  ];
}

const BY_FILTER: readonly Giving[] = [
  ["request.headers", "requestHeaderModifier"],
  ["responseHeaders", "responseHeaderModifier"],
  ["redirect", "requestRedirect"],
  ["request.path", "urlRewrite.path"],
  ["request.authority", "urlRewrite.hostname"],
  ["responseHeaders", "cors"],
];

function filterFields(rule: WrittenRule, list: string, told: Told): readonly Giving[] {
  return listAt(rule, list).flatMap((filter, at) =>
    BY_FILTER.flatMap(([part, field]): readonly Giving[] => {
      if (valueAt(filter, field) === undefined) return [];
      const given: Giving = [part, `${list}[${at}].${field}`];
      return field === "cors" && isPreflight(told) ? [["directResponse", given[1]], given] : [given];
    }),
  );
}

function listAt({ value }: WrittenRule, field: string): readonly unknown[] {
  const list = valueAt(value, field);
  return Array.isArray(list) ? list : [];
}
