/** A chain as a VirtualService. */

import type { Chain, ChainRoute, Leg } from "./chain.js";
import type { ClusterPlan } from "./cluster-plan.js";
import type { RouteDestination, RouteMatch, ValueMatch } from "./config-entry.js";
import { durationText } from "./duration-text.js";
import { type HeaderOperations, headerOperations, inSequence } from "./header-change.js";

type Spec = Readonly<Record<string, unknown>>;

/** Weights are whole percent where all of them are, else hundredths of one. */
const HUNDREDTHS = 100;

/** @param hostOf the host of a service by its name in Consul @throws {FieldFault} */
export function virtualServiceSpec(chain: Chain, plan: ClusterPlan, hostOf: (service: string) => string): Spec {
  const http: Spec[] = [];
  for (const route of chain.routes) {
    const made = httpRoute(route, plan, hostOf);
    http.push(made);
    if (made["match"] === undefined) break; // nothing gets any further
  }
  return { hosts: [hostOf(chain.service)], exportTo: ["*"], http };
}

/** Whether the mesh would do the same without it. */
export function isPlain(chain: Chain, plan: ClusterPlan): boolean {
  const [route, ...more] = chain.routes;
  if (route === undefined || more.length > 0 || route.timeoutMs !== undefined) return false;
  const [leg, ...others] = route.legs;
  if (leg === undefined || others.length > 0 || leg.requestHeaders !== undefined) return false;
  return leg.target.service === chain.service && plan.cluster(leg.target).subset === "";
}

function httpRoute(route: ChainRoute, plan: ClusterPlan, hostOf: (service: string) => string): Spec {
  const { match, destination, timeoutMs, legs } = route;
  const only = legs.length === 1 ? legs[0] : undefined;
  // A single destination's operations are one list with the route's, in which the destination would win: in Envoy the route does.
  const request = inSequence(only?.requestHeaders, destination?.requestHeaders);
  const response = inSequence(only?.responseHeaders, destination?.responseHeaders);
  const matches = match && matchSpec(match);
  return {
    ...(matches !== undefined && { match: [matches] }),
    route: routeSpec(legs, plan, hostOf),
    ...(destination?.prefixRewrite && { rewrite: { uri: destination.prefixRewrite } }),
    ...timeoutSpec(destination?.requestTimeoutMs ?? timeoutMs),
    ...retrySpec(destination),
    ...headersSpec(headerOperations(request), headerOperations(response)),
  };
}

function routeSpec(legs: readonly Leg[], plan: ClusterPlan, hostOf: (service: string) => string): Spec[] {
  const whole = legs.every(({ weight }) => weight % HUNDREDTHS === 0);
  return legs.map(({ target, weight, requestHeaders, responseHeaders }) => {
    const { subset } = plan.cluster(target);
    const destination = { host: hostOf(target.service), ...(subset !== "" && { subset }) };
    if (legs.length === 1) return { destination };
    const headers = headersSpec(headerOperations(requestHeaders), headerOperations(responseHeaders));
    return { destination, weight: whole ? weight / HUNDREDTHS : weight, ...headers };
  });
}

function headersSpec(request: HeaderOperations | undefined, response: HeaderOperations | undefined): Spec {
  if (request === undefined && response === undefined) return {};
  return { headers: { ...(request && { request }), ...(response && { response }) } };
}

function timeoutSpec(ms: number | undefined): Spec {
  return ms === undefined ? {} : { timeout: durationText(ms) };
}

/** Without a word of it the mesh's own default holds. Without a condition Envoy never retries. */
function retrySpec(destination: RouteDestination | undefined): Spec {
  const { retries, retryOn = [], retryOnConnectFailure = false, retryOnStatusCodes = [] } = destination ?? {};
  const written = retries !== undefined || retryOnConnectFailure || retryOn.length + retryOnStatusCodes.length > 0;
  if (!written) return {};
  const tokens = [
    ...retryOn,
    ...(retryOnConnectFailure && !retryOn.includes("connect-failure") ? ["connect-failure"] : []),
    ...retryOnStatusCodes.map(String),
  ];
  if (tokens.length === 0) return { retries: { attempts: 0 } };
  return { retries: { attempts: retries ?? 1, retryOn: tokens.join(",") } };
}

/** Undefined: every request. */
function matchSpec(match: RouteMatch): Spec | undefined {
  const { pathExact, pathPrefix, pathRegex, ignoreCase, headers, query, methods } = match;
  const caseless = ignoreCase && pathRegex !== undefined ? `(?i)${pathRegex}` : pathRegex;
  const uri = pathExact
    ? { exact: pathExact }
    : pathPrefix
      ? { prefix: pathPrefix }
      : caseless
        ? { regex: caseless }
        : undefined;
  const spec = {
    ...(uri && { uri }),
    ...(ignoreCase && uri !== undefined && !caseless && { ignoreUriCase: true }),
    ...(methods.length > 0 && { method: methodsSpec(methods) }),
    ...headersMatch(headers),
    ...(query.length > 0 && { queryParams: named(query.map((each) => [each.name, stringMatch(each)])) }),
  };
  return Object.keys(spec).length === 0 ? undefined : spec;
}

function methodsSpec(methods: readonly string[]): Spec {
  return methods.length === 1 ? { exact: methods[0] } : { regex: methods.join("|") };
}

/** An inverted value is one that is there and differs; a header that is not there is not that. */
function headersMatch(headers: readonly ValueMatch[]): Spec {
  const wanted: [string, Spec][] = [];
  const unwanted: [string, Spec][] = [];
  for (const each of headers) {
    if (!each.invert) wanted.push([each.name, stringMatch(each)]);
    else {
      unwanted.push([each.name, stringMatch(each)]);
      if (each.kind !== "present") wanted.push([each.name, {}]);
    }
  }
  return {
    ...(wanted.length > 0 && { headers: named(wanted) }),
    ...(unwanted.length > 0 && { withoutHeaders: named(unwanted) }),
  };
}

function stringMatch({ kind, value, ignoreCase }: ValueMatch): Spec {
  if (kind === "present") return {};
  if (!ignoreCase && (kind === "exact" || kind === "prefix")) return { [kind]: value };
  const text = kind === "regex" ? value : escaped(value);
  const regex = { exact: text, prefix: `${text}.*`, suffix: `.*${text}`, contains: `.*${text}.*`, regex: text }[kind];
  return { regex: ignoreCase ? `(?i)${regex}` : regex };
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

/** Several tests of one header: names differ in case, which no header's does. */
function named(entries: readonly (readonly [string, Spec])[]): Spec {
  const made: Record<string, unknown> = {};
  for (const [name, test] of entries) {
    if (Object.hasOwn(made, name) && JSON.stringify(made[name]) === JSON.stringify(test)) continue;
    made[spelling(name, made)] = test;
  }
  return made;
}

function spelling(name: string, taken: Readonly<Record<string, unknown>>): string {
  for (let bits = 0; bits < 2 ** Math.min(name.length, 10); bits++) {
    const spelled =
      bits === 0 ? name : [...name].map((char, index) => ((bits >> index) & 1 ? flipped(char) : char)).join("");
    if (!Object.hasOwn(taken, spelled)) return spelled;
  }
  return name;
}

function flipped(char: string): string {
  return char === char.toLowerCase() ? char.toUpperCase() : char.toLowerCase();
}
