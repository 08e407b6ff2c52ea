/** Operations of AuthorizationPolicies. policy-semantics §4.5. */

import type { AuthorizationOperationSpec } from "../kind/authorization-policy.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { checkEmpty } from "./authorization-source.js";
import type { Report } from "./report.js";

/** Between the slashes of a path template: what RFC 3986 calls pchar, without "*". */
const LITERAL = /^[A-Za-z0-9\-._~%!$&'()+,;:@=]+$/;
const ONE = "{*}";
const REST = "{**}";

export function checkOperation(operation: AuthorizationOperationSpec, path: Path, report: Report): void {
  const fields = Object.entries(operation).map(([field, values = []]) => [field, values] as const);
  if (fields.every(([, values]) => values.length === 0)) {
    report.error(path, "the operation says nothing. Name what is done, or leave to out.");
  }
  for (const [field, values] of fields) checkEmpty(values, [...path, field], report);
  for (const field of ["ports", "notPorts"] as const) {
    for (const [index, value] of (operation[field] ?? []).entries())
      report.check([...path, field, index], portTextFault(value));
  }
  for (const field of ["paths", "notPaths"] as const) {
    for (const [index, value] of (operation[field] ?? []).entries())
      report.check([...path, field, index], pathTemplateFault(value));
  }
}

export function namesPort({ ports, notPorts }: AuthorizationOperationSpec): boolean {
  return (ports ?? []).length + (notPorts ?? []).length > 0;
}

/** A port as policy writes it, in quotes. 0 passes, as with Istio. */
export function portTextFault(port: string): string | undefined {
  if (port === "" || (/^\d+$/.test(port) && Number(port) <= 65_535)) return undefined; // empty: said already
  return `${quote(port)} is no port. Write a number up to 65535, in quotes.`;
}

/** `/files/{*}/{**}`: operators stand for whole segments, and nothing but literals comes after `{**}`. */
export function pathTemplateFault(path: string): string | undefined {
  const isTemplate = path.includes(ONE) || path.includes(REST);
  let restAt = -1;
  for (const [index, segment] of path
    .replace(/^\/+|\/+$/g, "")
    .split("/")
    .entries()) {
    if (segment === ONE || segment === REST) {
      if (restAt >= 0)
        return `path ${quote(path)} has ${segment} after {**}, which takes all there is. Remove one of them.`;
      if (segment === REST) restAt = index;
    } else if (/[{}]/.test(segment)) {
      return `path ${quote(path)} has braces in ${quote(segment)}. Write {*} or {**} for a whole segment.`;
    } else if (isTemplate && !LITERAL.test(segment)) {
      return `path ${quote(path)} has ${quote(segment)} beside {*} or {**}, expected plain text there. Correct it.`;
    }
  }
  return undefined;
}
