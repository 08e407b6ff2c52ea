/** Rules that HTTPRoutes and GRPCRoutes share, as Gateway API's own schemas demand them. policy-semantics §5. */

import type { GatewayAnyRuleSpec, GatewayRouteSpec } from "../kind/gateway-grpc-route.js";
import type { GatewayBackendRefSpec } from "../kind/gateway-http-route.js";
import type { GatewayParentRefSpec } from "../kind/gateway-route.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { checkBackendRef } from "./gateway-backend.js";
import { checkFilters, type GatewayFilterType } from "./gateway-filter.js";
import { checkReference, sectionNameFault } from "./gateway-reference.js";
import { gatewayHostnameFault, portFault } from "./name-syntax.js";
import type { Report } from "./report.js";
import { checkCount } from "./shared-rules.js";

const MAX_PARENTS = 32;
const MAX_HOSTNAMES = 16;
const MAX_RULES = 16;
const MAX_MATCHES_OF_RULE = 64;
const MAX_MATCHES = 128;

const MAX_BACKENDS = 16;
const MAX_WEIGHT = 1_000_000;

/** As with Istio, a backend changes headers only: everything else is the rule's. */
const OF_BACKEND: ReadonlySet<string> = new Set(["RequestHeaderModifier", "ResponseHeaderModifier"]);

/** All but the rules themselves. */
export function checkRouteHead(spec: GatewayRouteSpec, path: Path, report: Report): void {
  const { parentRefs = [], hostnames = [], rules = [] } = spec;
  checkParents(parentRefs, [...path, "parentRefs"], report);
  checkCount(hostnames, MAX_HOSTNAMES, [...path, "hostnames"], report);
  for (const [index, hostname] of hostnames.entries()) {
    report.check([...path, "hostnames", index], gatewayHostnameFault(hostname, true));
  }
  const at = [...path, "rules"];
  checkCount(rules, MAX_RULES, at, report);
  const total = rules.reduce((sum, { matches = [] }) => sum + matches.length, 0);
  if (total > MAX_MATCHES) {
    report.error(at, `the rules have ${total} matches, at most ${MAX_MATCHES} are allowed. Split the route.`);
  }
  const names = new Set<string>();
  for (const [index, { name }] of rules.entries()) {
    if (name === undefined) continue;
    report.check([...at, index, "name"], sectionNameFault(name));
    if (names.has(name)) {
      report.error([...at, index, "name"], `rule name ${quote(name)} is there twice. Rename one.`);
    }
    names.add(name);
  }
}

/** What every rule has, but for what its matches say. */
export function checkRuleParts(
  rule: GatewayAnyRuleSpec,
  allowed: readonly GatewayFilterType[],
  path: Path,
  report: Report,
): void {
  const { matches = [], filters = [], backendRefs = [] } = rule;
  checkCount(matches, MAX_MATCHES_OF_RULE, [...path, "matches"], report);
  checkFilters(filters, allowed, [...path, "filters"], report);
  checkBackendRefs(backendRefs, allowed, [...path, "backendRefs"], report);
}

function checkParents(parents: readonly GatewayParentRefSpec[], path: Path, report: Report): void {
  checkCount(parents, MAX_PARENTS, path, report);
  const seen = new Set<string>();
  for (const [index, parent] of parents.entries()) {
    const { group = "gateway.networking.k8s.io", kind = "Gateway", namespace = report.namespace, name = "" } = parent;
    const at = [...path, index];
    if (name === "") report.error(at, "the parent has no name. Name the Service: kind: Service, group: '', name: web.");
    checkReference(parent, at, report);
    if (parent.port !== undefined) report.check([...at, "port"], portFault(parent.port));
    const identity = [group, kind, namespace, name, parent.sectionName ?? "", parent.port ?? ""].join("/");
    if (seen.has(identity)) {
      report.error(at, `the parent ${quote(name)} is there twice. Remove one, or tell them apart by port.`);
    }
    seen.add(identity);
    checkApart(parents, index, at, report);
  }
}

/** Of several refs to one parent each must have the same of sectionName and port. Namespaces are compared as written. */
function checkApart(parents: readonly GatewayParentRefSpec[], index: number, path: Path, report: Report): void {
  const identityOf = ({ group, kind, namespace, name }: GatewayParentRefSpec) =>
    [group ?? "gateway.networking.k8s.io", kind ?? "Gateway", namespace ?? "", name].join("/");
  const marksOf = ({ sectionName, port }: GatewayParentRefSpec) => `${Boolean(sectionName)} ${Boolean(port)}`;
  const parent = parents[index]!; // asked for a parent of the list
  const others = parents.slice(0, index).filter((other) => identityOf(other) === identityOf(parent));
  if (others.every((other) => marksOf(other) === marksOf(parent))) return;
  const message = `the parent ${quote(parent.name)} is named elsewhere with another of sectionName and port. Write the same of both for each, or name it once.`;
  report.error(path, message);
}

function checkBackendRefs(
  backends: readonly GatewayBackendRefSpec[],
  allowed: readonly GatewayFilterType[],
  path: Path,
  report: Report,
): void {
  checkCount(backends, MAX_BACKENDS, path, report);
  for (const [index, backend] of backends.entries()) {
    const at = [...path, index];
    checkBackendRef(backend, at, report);
    report.range([...at, "weight"], backend.weight, 0, MAX_WEIGHT);
    const filters = backend.filters ?? [];
    checkFilters(filters, allowed, [...at, "filters"], report);
    for (const [position, { type = "" }] of filters.entries()) {
      if (type === "" || OF_BACKEND.has(type)) continue;
      report.error(
        [...at, "filters", position],
        `${type} is not supported for one backend, only RequestHeaderModifier and ResponseHeaderModifier. Move it to the filters of the rule.`,
      );
    }
  }
}
