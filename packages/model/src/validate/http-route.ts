/** Rules of one http route of a VirtualService. policy-semantics §6.3. */

import type { HttpRouteSpec } from "../kind/virtual-service.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { checkDestination, checkWeights } from "./destination.js";
import { isAuthority } from "./header-syntax.js";
import { checkFault } from "./http-fault.js";
import { checkHeaders } from "./http-headers.js";
import { checkHttpMatch } from "./http-match.js";
import { checkRetry } from "./http-retry.js";
import { checkCors, checkDirectResponse, checkMirrors, checkRedirect, checkRewrite } from "./http-route-part.js";
import type { Report } from "./report.js";

export function checkHttpRoute(route: HttpRouteSpec, isDelegate: boolean, path: Path, report: Report): void {
  checkAction(route, isDelegate, path, report);
  for (const [index, match] of (route.match ?? []).entries()) checkHttpMatch(match, [...path, "match", index], report);
  checkHeaders(route.headers, [...path, "headers"], report);
  checkCors(route.corsPolicy, [...path, "corsPolicy"], report);
  checkFault(route.fault, [...path, "fault"], report);
  checkMirrors(route, path, report);
  checkRedirect(route.redirect, route.match ?? [], [...path, "redirect"], report);
  checkDirectResponse(route.directResponse, [...path, "directResponse"], report);
  checkRetry(route.retries, [...path, "retries"], report);
  checkRewrite(route.rewrite, [...path, "rewrite"], report);
  checkAuthorityOnce(route, path, report);
  const destinations = route.route ?? [];
  for (const [index, { destination, headers }] of destinations.entries()) {
    const at = [...path, "route", index];
    if (destination === undefined)
      report.error(at, "the destination is missing. Name one: destination: {host: reviews}.");
    else checkDestination(destination, [...at, "destination"], report);
    checkHeaders(headers, [...at, "headers"], report);
  }
  checkWeights(destinations, [...path, "route"], report);
}

/** What excludes each other; `route`, `redirect` and `directResponse` each answer the request. */
function checkAction(route: HttpRouteSpec, isDelegate: boolean, path: Path, report: Report): void {
  const has = (field: keyof HttpRouteSpec) => {
    const value = route[field];
    return Array.isArray(value) ? value.length > 0 : value !== undefined;
  };
  const exclude = (field: keyof HttpRouteSpec, others: readonly (keyof HttpRouteSpec)[]) => {
    for (const other of others) {
      if (has(other))
        report.error([...path, other], `${field} and ${other} exclude each other in one rule. Remove one.`);
    }
  };
  if (isDelegate && has("delegate")) {
    report.error([...path, "delegate"], "a delegate cannot delegate again. Write its routes here.");
  }
  if (!isDelegate && has("delegate")) return exclude("delegate", ["redirect", "route"]);
  if (has("redirect")) exclude("redirect", ["route", "fault", "rewrite", "directResponse"]);
  else if (has("directResponse")) exclude("directResponse", ["route", "fault", "rewrite"]);
  else if (!has("route"))
    report.error(path, "the rule leads nowhere. Give it a route, a redirect or a directResponse.");
  if (has("mirror")) exclude("mirror", ["mirrors"]);
}

/** rewrite.authority and operations on Host mean the same; two of them contradict each other. */
function checkAuthorityOnce({ rewrite, headers }: HttpRouteSpec, path: Path, report: Report): void {
  let current = rewrite?.authority ?? "";
  for (const operation of ["set", "add"] as const) {
    for (const [name, value] of Object.entries(headers?.request?.[operation] ?? {})) {
      if (!isAuthority(name)) continue;
      if (current !== "") {
        const at = [...path, "headers", "request", operation, name];
        report.error(at, `the authority is already rewritten to ${quote(current)}. Keep one of the two.`);
      }
      current = value;
    }
  }
}
