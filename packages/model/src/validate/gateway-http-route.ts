/** Rules of an HTTPRoute, as Gateway API's own schema demands them. policy-semantics §5.1–5.3. */

import type { GatewayHttpRouteSpec, GatewayRuleSpec } from "../kind/gateway-http-route.js";
import type { Path } from "../resource.js";
import { HTTP_FILTERS, replacesPrefix } from "./gateway-filter.js";
import { checkGatewayMatch } from "./gateway-match.js";
import { checkRouteHead, checkRuleParts } from "./gateway-route.js";
import { checkPersistence, checkRetry, checkTimeouts } from "./gateway-time.js";
import type { Report } from "./report.js";

export function checkGatewayHttpRoute(spec: GatewayHttpRouteSpec, path: Path, report: Report): void {
  checkRouteHead(spec, path, report);
  const { rules } = spec;
  if (rules === undefined) return;
  const at = [...path, "rules"];
  if (rules.length === 0) report.error(at, "the list of rules is empty. Write a rule, or leave the field out.");
  for (const [index, rule] of rules.entries()) checkRule(rule, [...at, index], report);
}

function checkRule(rule: GatewayRuleSpec, path: Path, report: Report): void {
  const { matches = [], filters = [], backendRefs = [] } = rule;
  checkRuleParts(rule, HTTP_FILTERS, path, report);
  for (const [index, match] of matches.entries()) checkGatewayMatch(match, [...path, "matches", index], report);
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
  checkTimeouts(rule.timeouts, [...path, "timeouts"], report);
  checkRetry(rule.retry, [...path, "retry"], report);
  checkPersistence(rule.sessionPersistence, [...path, "sessionPersistence"], report);
}
