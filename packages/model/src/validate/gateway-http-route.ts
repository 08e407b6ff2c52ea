/** Rules of an HTTPRoute, as Gateway API's own schema demands them. policy-semantics §5.1–5.3. */

import type {
  GatewayBackendRefSpec,
  GatewayHttpRouteSpec,
  GatewayParentRefSpec,
  GatewayRuleSpec,
} from "../kind/gateway-http-route.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { checkBackendRef } from "./gateway-backend.js";
import { checkFilters, replacesPrefix } from "./gateway-filter.js";
import { checkGatewayMatch } from "./gateway-match.js";
import { checkPersistence, checkRetry, checkTimeouts } from "./gateway-time.js";
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

export function checkGatewayHttpRoute(spec: GatewayHttpRouteSpec, path: Path, report: Report): void {
  const { parentRefs = [], hostnames = [], rules } = spec;
  checkParents(parentRefs, [...path, "parentRefs"], report);
  checkCount(hostnames, MAX_HOSTNAMES, [...path, "hostnames"], report);
  for (const [index, hostname] of hostnames.entries()) {
    report.check([...path, "hostnames", index], gatewayHostnameFault(hostname, true));
  }
  if (rules === undefined) return;
  const at = [...path, "rules"];
  if (rules.length === 0) report.error(at, "the list of rules is empty. Write a rule, or leave the field out.");
  checkCount(rules, MAX_RULES, at, report);
  const total = rules.reduce((sum, { matches = [] }) => sum + matches.length, 0);
  if (total > MAX_MATCHES) {
    report.error(at, `the rules have ${total} matches, at most ${MAX_MATCHES} are allowed. Split the route.`);
  }
  const names = new Set<string>();
  for (const [index, rule] of rules.entries()) {
    const { name = "" } = rule;
    if (name !== "" && names.has(name)) {
      report.error([...at, index, "name"], `rule name ${quote(name)} is there twice. Rename one.`);
    }
    names.add(name);
    checkRule(rule, [...at, index], report);
  }
}

function checkParents(parents: readonly GatewayParentRefSpec[], path: Path, report: Report): void {
  checkCount(parents, MAX_PARENTS, path, report);
  const seen = new Set<string>();
  for (const [index, parent] of parents.entries()) {
    const { group = "gateway.networking.k8s.io", kind = "Gateway", namespace = report.namespace, name = "" } = parent;
    const at = [...path, index];
    if (name === "") report.error(at, "the parent has no name. Name the Service: kind: Service, group: '', name: web.");
    if (parent.port !== undefined) report.check([...at, "port"], portFault(parent.port));
    const identity = [group, kind, namespace, name, parent.sectionName ?? "", parent.port ?? ""].join("/");
    if (seen.has(identity)) {
      report.error(at, `the parent ${quote(name)} is there twice. Remove one, or tell them apart by port.`);
    }
    seen.add(identity);
  }
}

function checkRule(rule: GatewayRuleSpec, path: Path, report: Report): void {
  const { matches = [], filters = [], backendRefs = [] } = rule;
  checkCount(matches, MAX_MATCHES_OF_RULE, [...path, "matches"], report);
  for (const [index, match] of matches.entries()) checkGatewayMatch(match, [...path, "matches", index], report);
  checkFilters(filters, [...path, "filters"], report);
  const index = filters.findIndex(replacesPrefix);
  const only = matches.length === 1 ? matches[0] : undefined;
  const isPrefix = matches.length === 0 || (only?.path?.type ?? "PathPrefix") === "PathPrefix";
  if (index >= 0 && (matches.length > 1 || !isPrefix)) {
    report.error(
      [...path, "filters", index],
      "ReplacePrefixMatch needs exactly one match of the rule, with a path of type PathPrefix. Split the rule, or use ReplaceFullPath.",
    );
  }
  if (backendRefs.length > 0 && filters.some(({ type }) => type === "RequestRedirect")) {
    report.error([...path, "backendRefs"], "a rule that redirects sends to no backend. Remove the one or the other.");
  }
  checkBackendRefs(backendRefs, [...path, "backendRefs"], report);
  checkTimeouts(rule.timeouts, [...path, "timeouts"], report);
  checkRetry(rule.retry, [...path, "retry"], report);
  checkPersistence(rule.sessionPersistence, [...path, "sessionPersistence"], report);
}

function checkBackendRefs(backends: readonly GatewayBackendRefSpec[], path: Path, report: Report): void {
  checkCount(backends, MAX_BACKENDS, path, report);
  for (const [index, backend] of backends.entries()) {
    const at = [...path, index];
    checkBackendRef(backend, at, report);
    report.range([...at, "weight"], backend.weight, 0, MAX_WEIGHT);
    const filters = backend.filters ?? [];
    checkFilters(filters, [...at, "filters"], report);
    for (const [position, { type = "" }] of filters.entries()) {
      if (type === "" || OF_BACKEND.has(type)) continue;
      report.error(
        [...at, "filters", position],
        `${type} is not supported for one backend, only RequestHeaderModifier and ResponseHeaderModifier. Move it to the filters of the rule.`,
      );
    }
  }
}
