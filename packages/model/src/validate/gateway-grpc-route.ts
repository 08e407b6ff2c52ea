/** Rules of a GRPCRoute, as Gateway API's own schema demands them. policy-semantics §5.4. */

import type { GatewayGrpcMatchSpec, GatewayGrpcRouteSpec } from "../kind/gateway-grpc-route.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { GRPC_FILTERS } from "./gateway-filter.js";
import { checkHeaderMatches } from "./gateway-match.js";
import { checkRouteHead, checkRuleParts } from "./gateway-route.js";
import { checkPersistence } from "./gateway-time.js";
import type { Report } from "./report.js";
import { regexFault } from "./string-match.js";

const MAX_NAME_LENGTH = 1024;

/** Names that a .proto file may have. */
const SERVICE = /^\.?[a-z_][a-z_0-9]*(?:\.[a-z_][a-z_0-9]*)*$/i;
const METHOD = /^[a-z_][a-z_0-9]*$/i;

export function checkGatewayGrpcRoute(spec: GatewayGrpcRouteSpec, path: Path, report: Report): void {
  checkRouteHead(spec, path, report);
  for (const [index, rule] of (spec.rules ?? []).entries()) {
    const at = [...path, "rules", index];
    checkRuleParts(rule, GRPC_FILTERS, at, report);
    for (const [position, match] of (rule.matches ?? []).entries()) {
      checkMatch(match, [...at, "matches", position], report);
    }
    checkPersistence(rule.sessionPersistence, [...at, "sessionPersistence"], report);
  }
}

function checkMatch({ method, headers = [] }: GatewayGrpcMatchSpec, path: Path, report: Report): void {
  checkHeaderMatches(headers, [...path, "headers"], report);
  if (method === undefined) return;
  const at = [...path, "method"];
  if (method.service === undefined && method.method === undefined) {
    report.error(at, "neither service nor method is there. Write one or both, or leave the field out.");
  }
  const isRegex = method.type === "RegularExpression";
  for (const [field, syntax, example] of [
    ["service", SERVICE, "shop.Reviews"],
    ["method", METHOD, "GetReview"],
  ] as const) {
    const value = method[field];
    if (value === undefined) continue;
    if (value.length > MAX_NAME_LENGTH) {
      report.error([...at, field], `the ${field} is longer than ${MAX_NAME_LENGTH} characters. Shorten it.`);
    } else if (isRegex) report.check([...at, field], regexFault(value));
    else if (!syntax.test(value)) {
      const message = `found ${quote(value)}, expected a ${field} such as ${example}. Correct it, or write type: RegularExpression.`;
      report.error([...at, field], message);
    }
  }
}
