/** Rules of a root VirtualService with its delegates' rules merged in, in place. policy-semantics §1.11. */

import type { DestinationSpec, StringMatch } from "../kind/field.js";
import type { HttpMatchSpec, HttpRouteSpec, VirtualServiceSpec } from "../kind/virtual-service.js";
import type { Resource } from "../resource.js";
import type { RuleRef } from "../snapshot/route.js";
import { qualifiedHost } from "./host.js";

/** One rule as it applies, and where it is written. Destination hosts are fully qualified. */
export interface Rule {
  readonly spec: HttpRouteSpec;
  readonly resource: Resource<VirtualServiceSpec>;
  /** Position in `resource.spec.http`. */
  readonly index: number;
  /** Position in the resource's `match` of each entry of `spec.match`. */
  readonly matchIndices: readonly number[];
  /** The rule that delegates to it. */
  readonly root?: RuleRef;
}

/** Undefined when the delegate does not exist or is not exported to the root: that rule alone is then skipped. */
export type FindDelegate = (namespace: string, name: string) => Resource<VirtualServiceSpec> | undefined;

export function expandRules(root: Resource<VirtualServiceSpec>, findDelegate: FindDelegate): readonly Rule[] {
  return (root.spec.http ?? []).flatMap((spec, index) => {
    const rule = ruleOf(root, spec, index);
    const { delegate } = spec;
    if (delegate === undefined) return [rule];
    const found = findDelegate(delegate.namespace || root.namespace, delegate.name ?? "");
    return (found?.spec.http ?? []).flatMap((inner, innerIndex) => {
      // found, since it has rules; delegates of delegates are refused
      return inner.delegate === undefined ? mergeRule(rule, ruleOf(found!, inner, innerIndex)) : [];
    });
  });
}

function ruleOf(resource: Resource<VirtualServiceSpec>, spec: HttpRouteSpec, index: number): Rule {
  const matchIndices = (spec.match ?? []).map((_, position) => position);
  return { spec: qualifyRule(spec, resource.namespace), resource, index, matchIndices };
}

/** A short name means the namespace of the rule that uses it, also when the rule is merged into another's. */
function qualifyRule(spec: HttpRouteSpec, namespace: string): HttpRouteSpec {
  const qualify = <Holder extends { destination?: DestinationSpec | undefined }>(holder: Holder): Holder => ({
    ...holder,
    ...(holder.destination && { destination: qualifyDestination(holder.destination, namespace) }),
  });
  return {
    ...spec,
    ...(spec.route && { route: spec.route.map(qualify) }),
    ...(spec.mirror && { mirror: qualifyDestination(spec.mirror, namespace) }),
    ...(spec.mirrors && { mirrors: spec.mirrors.map(qualify) }),
  };
}

function qualifyDestination(spec: DestinationSpec, namespace: string): DestinationSpec {
  return { ...spec, host: qualifiedHost(spec.host ?? "", namespace) };
}

/** The delegate's fields win whole; what it leaves out is the root's. A rule without any compatible match is dropped. */
function mergeRule({ spec: root, resource, index }: Rule, delegate: Rule): readonly Rule[] {
  const merged = mergeMatches(root.match ?? [], delegate);
  if (merged === undefined) return [];
  const { match: _, delegate: __, route: ___, redirect: ____, ...inherited } = root;
  const { kind, namespace, name: rootName } = resource;
  const { name } = delegate.spec;
  const spec: HttpRouteSpec = {
    ...inherited,
    ...definedFields(delegate.spec),
    ...(joinNames(root.name, name) !== "" && { name: joinNames(root.name, name) }),
    match: merged.map(({ match }) => match),
  };
  return [
    {
      ...delegate,
      spec,
      matchIndices: merged.map(({ index }) => index),
      root: { resource: { kind, namespace, name: rootName }, path: `spec.http[${index}]` },
    },
  ];
}

/** A field written as undefined must not hide the root's. */
function definedFields(spec: HttpRouteSpec): HttpRouteSpec {
  return Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== undefined));
}

function joinNames(root = "", delegate = ""): string {
  return root !== "" && delegate !== "" ? `${root}-${delegate}` : root + delegate;
}

interface MergedMatch {
  readonly match: HttpMatchSpec;
  readonly index: number;
}

/** Every compatible pair; undefined when a match of the delegate fits none of the root's. */
function mergeMatches(roots: readonly HttpMatchSpec[], delegate: Rule): readonly MergedMatch[] | undefined {
  const inner = (delegate.spec.match ?? []).map((match, position) => ({
    match,
    index: delegate.matchIndices[position] ?? -1,
  }));
  if (roots.length === 0) return inner;
  if (inner.length === 0) return roots.map((match) => ({ match, index: -1 }));
  const merged: MergedMatch[] = [];
  for (const { match, index } of inner) {
    const fitting = roots.filter((root) => !conflicts(root, match));
    if (fitting.length === 0) return undefined;
    merged.push(...fitting.map((root) => ({ match: mergeMatch(root, match), index })));
  }
  return merged;
}

function mergeMatch(root: HttpMatchSpec, delegate: HttpMatchSpec): HttpMatchSpec {
  const own = Object.fromEntries(Object.entries(delegate).filter(([, value]) => value !== undefined && value !== ""));
  return {
    ...root,
    ...own,
    ...(joinNames(root.name, delegate.name) !== "" && { name: joinNames(root.name, delegate.name) }),
    headers: { ...root.headers, ...delegate.headers },
    withoutHeaders: { ...root.withoutHeaders, ...delegate.withoutHeaders },
    queryParams: { ...root.queryParams, ...delegate.queryParams },
    sourceLabels: { ...root.sourceLabels, ...delegate.sourceLabels },
    ...(delegate.gateways?.length === 0 && root.gateways && { gateways: root.gateways }),
  };
}

type MatchMap = Readonly<Record<string, StringMatch | null>> | undefined;

function conflicts(root: HttpMatchSpec, delegate: HttpMatchSpec): boolean {
  if (matchesConflict(root.uri, delegate.uri) || matchesConflict(root.scheme, delegate.scheme)) return true;
  if (matchesConflict(root.method, delegate.method) || matchesConflict(root.authority, delegate.authority)) return true;
  if (mapsConflict(root.headers, delegate.headers) || mapsConflict(root.withoutHeaders, delegate.withoutHeaders))
    return true;
  if (mapsConflict(root.queryParams, delegate.queryParams)) return true;
  if ((root.ignoreUriCase ?? false) !== (delegate.ignoreUriCase ?? false)) return true;
  if (root.port && delegate.port && root.port !== delegate.port) return true;
  if (root.sourceNamespace && root.sourceNamespace !== delegate.sourceNamespace) return true;
  const rootLabels = root.sourceLabels ?? {};
  const labels = Object.entries(delegate.sourceLabels ?? {});
  if (labels.some(([key, value]) => rootLabels[key] !== undefined && rootLabels[key] !== value)) return true;
  const gateways = new Set(root.gateways ?? []);
  return gateways.size > 0 && (delegate.gateways ?? []).some((gateway) => !gateways.has(gateway));
}

function mapsConflict(root: MatchMap, delegate: MatchMap): boolean {
  return Object.entries(delegate ?? {}).some(([key, match]) => matchesConflict(root?.[key], match));
}

/** The delegate may only narrow: regexes cannot be compared, presence on both sides neither. */
function matchesConflict(root: StringMatch | null | undefined, delegate: StringMatch | null | undefined): boolean {
  if (root == null || delegate == null) return false;
  if (root.regex || delegate.regex) return true;
  if (root.exact) return delegate.exact !== root.exact;
  if (root.prefix) return !(delegate.prefix || delegate.exact || "").startsWith(root.prefix);
  return true;
}
