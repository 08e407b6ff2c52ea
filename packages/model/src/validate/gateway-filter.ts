/** Rules of the filters of HTTPRoutes and GRPCRoutes. policy-semantics §5.3. */

import type { GatewayFilterSpec, GatewayPathModifierSpec } from "../kind/gateway-http-route.js";
import type { GatewayHeaderModifierSpec } from "../kind/gateway-route.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { checkBackendRef } from "./gateway-backend.js";
import { checkGatewayCors } from "./gateway-cors.js";
import { isHeaderName } from "./header-syntax.js";
import { gatewayHostnameFault, portFault } from "./name-syntax.js";
import type { Report } from "./report.js";
import { checkCount } from "./shared-rules.js";

const MAX_FILTERS = 16;
const MAX_HEADERS = 16;
const MAX_NAME_LENGTH = 256;
const MAX_VALUE_LENGTH = 4096;
const REDIRECT_STATUSES: readonly number[] = [301, 302, 303, 307, 308];

/** The field that belongs to each type, in the order of the type's enum. */
const FIELDS = {
  RequestHeaderModifier: "requestHeaderModifier",
  ResponseHeaderModifier: "responseHeaderModifier",
  RequestMirror: "requestMirror",
  RequestRedirect: "requestRedirect",
  URLRewrite: "urlRewrite",
  CORS: "cors",
  ExtensionRef: "extensionRef",
  ExternalAuth: "externalAuth",
} as const satisfies Readonly<Record<NonNullable<GatewayFilterSpec["type"]>, keyof GatewayFilterSpec>>;

export type GatewayFilterType = keyof typeof FIELDS;

export const HTTP_FILTERS = Object.keys(FIELDS) as readonly GatewayFilterType[];

export const GRPC_FILTERS: readonly GatewayFilterType[] = [
  "RequestHeaderModifier",
  "ResponseHeaderModifier",
  "RequestMirror",
  "ExtensionRef",
];

/** @param allowed what the kind of route has */
export function checkFilters(
  filters: readonly GatewayFilterSpec[],
  allowed: readonly GatewayFilterType[],
  path: Path,
  report: Report,
): void {
  checkCount(filters, MAX_FILTERS, path, report);
  const types = filters.map(({ type }) => type);
  for (const [index, filter] of filters.entries()) {
    const { type } = filter;
    const at = [...path, index];
    if (type === undefined) {
      report.error(at, `the filter has no type. Write one of ${allowed.join(", ")}.`);
      continue;
    }
    if (type !== "RequestMirror" && types.indexOf(type) < index) {
      report.error(at, `${type} is there twice. Join the two filters.`);
    }
    checkFields(filter, type, at, report);
    checkFilter(filter, at, report);
  }
  if (types.includes("RequestRedirect") && types.includes("URLRewrite")) {
    report.error(path, "RequestRedirect and URLRewrite exclude each other. Keep one.");
  }
}

function checkFields(
  filter: GatewayFilterSpec,
  type: NonNullable<GatewayFilterSpec["type"]>,
  path: Path,
  report: Report,
): void {
  const own = FIELDS[type];
  if (type === "ExtensionRef" || type === "ExternalAuth") {
    report.error(
      path,
      `${type} is not supported, and a filter that is left out could open a door. Remove it, or use another type.`,
    );
  } else if (filter[own] === undefined) report.error(path, `a filter of type ${type} needs the field ${own}. Add it.`);
  for (const field of Object.values(FIELDS)) {
    if (field === own || filter[field] === undefined) continue;
    report.error([...path, field], `${field} does not belong to a filter of type ${type}. Remove it.`);
  }
}

function checkFilter(filter: GatewayFilterSpec, path: Path, report: Report): void {
  checkHeaders(filter.requestHeaderModifier, [...path, "requestHeaderModifier"], report);
  checkHeaders(filter.responseHeaderModifier, [...path, "responseHeaderModifier"], report);
  checkMirror(filter.requestMirror, [...path, "requestMirror"], report);
  checkRedirect(filter.requestRedirect, [...path, "requestRedirect"], report);
  const { urlRewrite } = filter;
  if (urlRewrite?.hostname !== undefined) {
    report.check([...path, "urlRewrite", "hostname"], gatewayHostnameFault(urlRewrite.hostname, false));
  }
  checkPathModifier(urlRewrite?.path, [...path, "urlRewrite", "path"], report);
  checkGatewayCors(filter.cors, [...path, "cors"], report);
}

function checkHeaders(modifier: GatewayHeaderModifierSpec | undefined, path: Path, report: Report): void {
  if (modifier === undefined) return;
  for (const field of ["set", "add"] as const) {
    const headers = modifier[field] ?? [];
    checkCount(headers, MAX_HEADERS, [...path, field], report);
    for (const [index, { name = "", value = "" }] of headers.entries()) {
      const at = [...path, field, index];
      checkHeaderName(name, at, report);
      if (headers.findIndex((other) => other.name === name) < index) {
        report.error(at, `the header ${quote(name)} is there twice. Remove one.`);
      }
      if (value === "" || value.length > MAX_VALUE_LENGTH) {
        report.error(at, `the value of ${quote(name)} has ${value.length} characters, expected 1 to 4096. Correct it.`);
      }
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
      if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(value)) {
        report.error([...at, "value"], `header value ${quote(value)} has a control character. Remove it.`);
      }
    }
  }
  checkCount(modifier.remove ?? [], MAX_HEADERS, [...path, "remove"], report);
  for (const [index, name] of (modifier.remove ?? []).entries())
    checkHeaderName(name, [...path, "remove", index], report);
}

function checkHeaderName(name: string, path: Path, report: Report): void {
  if (isHeaderName(name) && name.length <= MAX_NAME_LENGTH) return;
  report.error(path, `${quote(name)} is no header name. Correct it.`);
}

function checkMirror(mirror: GatewayFilterSpec["requestMirror"], path: Path, report: Report): void {
  if (mirror === undefined) return;
  const { backendRef, percent, fraction } = mirror;
  if (backendRef === undefined)
    report.error(path, "the mirror has no backendRef. Name the Service that gets the copies.");
  else checkBackendRef(backendRef, [...path, "backendRef"], report);
  if (percent !== undefined && fraction !== undefined) {
    report.error(path, "percent and fraction exclude each other. Keep one.");
  }
  report.range([...path, "percent"], percent, 0, 100);
  if (fraction === undefined) return;
  const { numerator = 0, denominator = 100 } = fraction;
  if (numerator < 0 || denominator < 1 || numerator > denominator) {
    report.error(
      [...path, "fraction"],
      `found ${numerator} of ${denominator}, expected a share between 0 and 1. Correct it.`,
    );
  }
}

function checkRedirect(redirect: GatewayFilterSpec["requestRedirect"], path: Path, report: Report): void {
  if (redirect === undefined) return;
  const { hostname, port, statusCode } = redirect;
  if (hostname !== undefined) report.check([...path, "hostname"], gatewayHostnameFault(hostname, false));
  if (port !== undefined) report.check([...path, "port"], portFault(port));
  if (statusCode !== undefined && !REDIRECT_STATUSES.includes(statusCode)) {
    report.error(
      [...path, "statusCode"],
      `found ${statusCode}, expected one of ${REDIRECT_STATUSES.join(", ")}. Choose one.`,
    );
  }
  checkPathModifier(redirect.path, [...path, "path"], report);
}

function checkPathModifier(modifier: GatewayPathModifierSpec | undefined, path: Path, report: Report): void {
  if (modifier === undefined) return;
  const { type } = modifier;
  if (type === undefined) {
    report.error(path, "the path has no type. Write ReplaceFullPath or ReplacePrefixMatch.");
    return;
  }
  const [own, other] =
    type === "ReplaceFullPath"
      ? (["replaceFullPath", "replacePrefixMatch"] as const)
      : (["replacePrefixMatch", "replaceFullPath"] as const);
  if (modifier[own] === undefined) report.error(path, `type ${type} needs the field ${own}. Add it.`);
  if (modifier[other] !== undefined) {
    report.error([...path, other], `${other} does not belong to type ${type}. Remove it.`);
  }
}

/** Such a filter needs to know which prefix was matched. */
export function replacesPrefix({ requestRedirect, urlRewrite }: GatewayFilterSpec): boolean {
  return (requestRedirect?.path ?? urlRewrite?.path)?.type === "ReplacePrefixMatch";
}
