/** A rule as routes: one per alternative of its match, since rewrites depend on what was matched. policy-semantics §1. */

import type { DestinationSpec } from "../kind/field.js";
import type { HttpDestinationSpec, HttpRouteSpec } from "../kind/virtual-service.js";
import type {
  Destination,
  ForwardAction,
  HashKey,
  HeaderOps,
  MirrorPolicy,
  RetryPolicy,
  Route,
  RouteAction,
} from "../snapshot/route.js";
import type { ClientContext } from "../snapshot/snapshot.js";
import { compileCors } from "./cors.js";
import type { Rule } from "./delegate.js";
import { durationMs } from "./duration-ms.js";
import { compileFault, ratio } from "./fault.js";
import { authorityOf, compileHeaderOps, mergeHeaderOps } from "./header-ops.js";
import { type ConsistentHashSpec, compileHashKey } from "./load-balancer.js";
import { placeOf, whyNotMeant } from "./meant-for.js";
import type { PathTest } from "./path-test.js";
import { compileDirectResponse, compileRedirect } from "./redirect.js";
import { RequestMatch } from "./request-match.js";
import { compileRetry } from "./retry.js";
import { compileRewrite } from "./rewrite.js";
import type { IndexedRoute } from "./route-index.js";

/** What a rule needs to know about the rest of the mesh. */
export interface RouteContext {
  readonly client: ClientContext;
  /** The port being addressed. */
  readonly port: number;
  readonly defaultRetry: RetryPolicy;
  /** Cluster of a destination; its host is qualified. */
  locate(destination: DestinationSpec): { readonly cluster: string; readonly host: string; readonly port: number };
  /** What requests to the destination are hashed by. */
  hashOf(destination: DestinationSpec): ConsistentHashSpec | undefined;
}

/** Requests per destination are drawn from this where a rule has only one, whatever weight it has. */
const WHOLE = 100;
const NO_PATH: PathTest = { kind: "any" };

/** Empty when no alternative is meant for this client and port. */
export function compileRule(rule: Rule, context: RouteContext): readonly IndexedRoute[] {
  const { spec } = rule;
  const { match } = spec;
  const parts = compileParts(spec, context);
  if (match === undefined || match.length === 0) {
    return [{ match: undefined, route: compileRoute(rule, parts, undefined, undefined, context) }];
  }
  return match.flatMap((alternative, position) => {
    if (whyNotMeant(alternative, context) !== undefined) return [];
    const compiled = new RequestMatch(alternative);
    return [{ match: compiled, route: compileRoute(rule, parts, compiled, position, context) }];
  });
}

/** What all alternatives of a rule share. */
interface RuleParts {
  readonly forward: ForwardAction | undefined;
  readonly authority: string | undefined;
  readonly timeoutMs: number;
  readonly retry: RetryPolicy;
  readonly shared: Pick<Route, "fault" | "mirrors" | "cors" | "requestHeaders" | "responseHeaders" | "hashKeys">;
}

function compileParts(spec: HttpRouteSpec, context: RouteContext): RuleParts {
  const destinations = spec.route ?? [];
  const only = destinations.length === 1 ? destinations[0] : undefined;
  const timeoutMs = durationMs(spec.timeout, 0);
  const used = only === undefined ? destinations.filter(({ weight = 0 }) => weight > 0) : destinations;
  const hashes = used.map(({ destination = {} }) => context.hashOf(destination));
  return {
    forward: compileForward(destinations, context),
    authority:
      spec.rewrite?.authority || authorityOf(spec.headers?.request) || authorityOf(only?.headers?.request) || undefined,
    timeoutMs,
    retry: ruleRetry(spec, timeoutMs, only !== undefined && hashes[0] !== undefined, context),
    shared: {
      fault: spec.fault && compileFault(spec.fault),
      mirrors: compileMirrors(spec, context),
      cors: compileCors(spec.corsPolicy),
      requestHeaders: levels(spec.headers?.request, only?.headers?.request),
      responseHeaders: levels(spec.headers?.response, only?.headers?.response),
      hashKeys: compileHashKeys(hashes),
    },
  };
}

function ruleRetry(
  { retries }: HttpRouteSpec,
  timeoutMs: number,
  hashed: boolean,
  { defaultRetry }: RouteContext,
): RetryPolicy {
  if (retries !== undefined) return compileRetry(retries, timeoutMs, hashed);
  return hashed ? { ...defaultRetry, avoidPreviousHosts: false } : defaultRetry;
}

function levels(...specs: readonly Parameters<typeof compileHeaderOps>[0][]): HeaderOps | undefined {
  return specs.map(compileHeaderOps).reduce(mergeHeaderOps);
}

function compileRoute(
  rule: Rule,
  { forward, authority, timeoutMs, retry, shared }: RuleParts,
  match: RequestMatch | undefined,
  position: number | undefined,
  { port }: RouteContext,
): Route {
  const { spec } = rule;
  const matched = match?.path ?? NO_PATH;
  const statPrefix = position === undefined ? undefined : spec.match?.[position]?.statPrefix;
  const { name, resource, path, delegatedBy } = placeOf(rule, position);
  const { fault, mirrors, cors, requestHeaders, responseHeaders, hashKeys } = shared;
  return {
    name,
    resource,
    path,
    delegatedBy,
    matches: match === undefined ? [] : [match],
    action: compileAction(spec, forward, port, matched),
    rewrite: compileRewrite(spec.rewrite, authority, matched),
    timeoutMs,
    retry,
    fault,
    mirrors,
    // Measured with Istio: answers of the mesh's own, redirects among them, pass no CORS filter.
    cors: spec.redirect === undefined && spec.directResponse === undefined ? cors : undefined,
    requestHeaders,
    responseHeaders,
    hashKeys,
    statPrefix,
  };
}

function compileAction(
  { redirect, directResponse }: HttpRouteSpec,
  forward: ForwardAction | undefined,
  port: number,
  matched: PathTest,
): RouteAction {
  if (redirect !== undefined) return compileRedirect(redirect, port, matched);
  if (directResponse !== undefined) return compileDirectResponse(directResponse);
  // Nothing to send to: validation refuses such a rule, so this answers only for a document that bypassed it.
  return forward ?? { kind: "directResponse", status: 500, body: undefined };
}

/** One destination gets everything; of several, those of weight 0 drop out. */
function compileForward(specs: readonly HttpDestinationSpec[], context: RouteContext): ForwardAction | undefined {
  const weighted = specs.length > 1;
  const destinations = specs.flatMap((spec): readonly Destination[] => {
    const weight = weighted ? (spec.weight ?? 0) : WHOLE;
    if (weight <= 0 || spec.destination === undefined) return [];
    const located = { ...context.locate(spec.destination), subset: spec.destination.subset ?? "", weight };
    return [weighted ? { ...located, ...ownParts(spec) } : located];
  });
  if (destinations.length === 0) return undefined;
  return { kind: "forward", destinations, totalWeight: destinations.reduce((sum, { weight }) => sum + weight, 0) };
}

/** Of a weighted destination: operations that apply before the route's. */
function ownParts({ headers }: HttpDestinationSpec): Partial<Destination> {
  const requestHeaders = compileHeaderOps(headers?.request);
  const responseHeaders = compileHeaderOps(headers?.response);
  const authority = authorityOf(headers?.request);
  return {
    ...(requestHeaders && { requestHeaders }),
    ...(responseHeaders && { responseHeaders }),
    ...(authority !== undefined && { authority }),
  };
}

/** Without a percentage everything is mirrored; zero switches the mirror off. */
function compileMirrors(spec: HttpRouteSpec, context: RouteContext): readonly MirrorPolicy[] {
  const { mirrors = [], mirror, mirrorPercentage, mirrorPercent } = spec;
  const all =
    mirror === undefined
      ? mirrors
      : [
          {
            destination: mirror,
            percentage: mirrorPercentage ?? (mirrorPercent === undefined ? undefined : { value: mirrorPercent }),
          },
        ];
  return all.flatMap(({ destination, percentage }, index) => {
    const share = percentage === undefined ? 1 : ratio(percentage.value ?? 0);
    if (destination === undefined || share === 0) return [];
    const located = { ...context.locate(destination), subset: destination.subset ?? "", weight: WHOLE };
    return [{ destination: located, ratio: share, field: mirror === undefined ? `mirrors[${index}]` : "mirror" }];
  });
}

export function compileHashKeys(specs: readonly (ConsistentHashSpec | undefined)[]): readonly HashKey[] | undefined {
  const keys = specs.flatMap((spec) => (spec === undefined ? [] : (compileHashKey(spec) ?? [])));
  return keys.length === 0 ? undefined : keys;
}

/**
 * The whole service, no limits, the mesh's retries: what Istio does where no VirtualService speaks. Retries avoid hosts that
 * were tried even where requests are hashed, unlike those of a rule.
 */
export function defaultRoute(
  destination: Omit<Destination, "weight">,
  retry: RetryPolicy,
  hash?: ConsistentHashSpec,
): IndexedRoute {
  const hashKeys = compileHashKeys([hash]);
  return {
    match: undefined,
    route: {
      name: "default",
      resource: null,
      path: "",
      matches: [],
      action: { kind: "forward", destinations: [{ ...destination, weight: WHOLE }], totalWeight: WHOLE },
      rewrite: undefined,
      timeoutMs: 0,
      retry,
      fault: undefined,
      mirrors: [],
      cors: undefined,
      requestHeaders: undefined,
      responseHeaders: undefined,
      ...(hashKeys && { hashKeys }),
    },
  };
}
