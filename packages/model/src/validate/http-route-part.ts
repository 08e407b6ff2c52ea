/** Rules of the smaller parts of an http route: redirect, directResponse, rewrite, mirrors, cors. policy-semantics §1.5–1.10. */

import { parseDurationMs } from "../kind/duration.js";
import type {
  CorsPolicySpec,
  HttpDirectResponseSpec,
  HttpMatchSpec,
  HttpRedirectSpec,
  HttpRewriteSpec,
  HttpRouteSpec,
} from "../kind/virtual-service.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { checkDestination } from "./destination.js";
import { isHeaderName } from "./header-syntax.js";
import { statusFault } from "./http-fault.js";
import { portFault } from "./name-syntax.js";
import type { Report } from "./report.js";
import { regexFault } from "./string-match.js";

/** Bytes of a direct response that Istio warns at and refuses. */
const LARGE_BODY_BYTES = 100 * 1024;
const MAX_BODY_BYTES = 1024 * 1024;

const METHODS: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "CONNECT",
  "OPTIONS",
  "TRACE",
  "*",
]);

export function checkRedirect(
  redirect: HttpRedirectSpec | undefined,
  matches: readonly HttpMatchSpec[],
  path: Path,
  report: Report,
): void {
  if (redirect === undefined) return;
  const { uri, prefixRewrite, authority, scheme, port, derivePort, redirectCode = 0 } = redirect;
  if (uri && prefixRewrite) report.error(path, "uri and prefixRewrite exclude each other. Keep one.");
  if (prefixRewrite && matches.some((match) => match.uri !== undefined && match.uri.prefix === undefined)) {
    report.error(
      [...path, "prefixRewrite"],
      "prefixRewrite needs every uri match of the rule to be a prefix. Use uri instead.",
    );
  }
  if (!uri && !prefixRewrite && !authority && !scheme && port === undefined && derivePort === undefined) {
    report.error(
      path,
      "the redirect changes nothing, so it would loop. Set uri, prefixRewrite, authority, scheme or port.",
    );
  }
  if (redirectCode !== 0) report.range([...path, "redirectCode"], redirectCode, 300, 399);
  if (scheme && scheme !== "http" && scheme !== "https") {
    report.error([...path, "scheme"], `found ${quote(scheme)}, expected "http" or "https". Write one of them.`);
  }
  if (port !== undefined && port > 0) report.check([...path, "port"], portFault(port));
}

export function checkDirectResponse(response: HttpDirectResponseSpec | undefined, path: Path, report: Report): void {
  if (response === undefined) return;
  const { status = 0, body } = response;
  report.check(status === 0 ? path : [...path, "status"], statusFault(status));
  const bytes = body?.bytes;
  if (bytes !== undefined && !/^[A-Za-z0-9+/_-]*={0,2}$/.test(bytes)) {
    report.error([...path, "body", "bytes"], "bytes are no base64. Encode them, or use string.");
  }
  const size =
    bytes === undefined ? Buffer.byteLength(body?.string ?? "") : Math.floor((bytes.replace(/=+$/, "").length * 3) / 4);
  if (size > MAX_BODY_BYTES)
    report.error([...path, "body"], `the body has ${size} bytes, at most 1 MiB is allowed. Serve it from a service.`);
  else if (size > LARGE_BODY_BYTES) {
    report.warn(
      [...path, "body"],
      `the body has ${size} bytes; every process holds it in memory. Serve it from a service.`,
    );
  }
}

export function checkRewrite(rewrite: HttpRewriteSpec | undefined, path: Path, report: Report): void {
  if (rewrite === undefined) return;
  const { uri, authority, uriRegexRewrite } = rewrite;
  if (uri && uriRegexRewrite !== undefined) report.error(path, "uri and uriRegexRewrite exclude each other. Keep one.");
  if (!uri && !authority && uriRegexRewrite === undefined) {
    report.error(path, "the rewrite changes nothing. Set uri, uriRegexRewrite or authority, or remove it.");
  }
  if (uriRegexRewrite === undefined) return;
  const at = [...path, "uriRegexRewrite"];
  if (!uriRegexRewrite.match || !uriRegexRewrite.rewrite)
    report.error(at, "both match and rewrite are needed. Set both.");
  else report.check([...at, "match"], regexFault(uriRegexRewrite.match));
}

export function checkMirrors(route: HttpRouteSpec, path: Path, report: Report): void {
  const { mirror, mirrors = [], mirrorPercent, mirrorPercentage } = route;
  if (mirrorPercent !== undefined) {
    const at = [...path, "mirrorPercent"];
    report.range(at, mirrorPercent, 0, 100);
    report.warn(at, "mirrorPercent is deprecated. Write mirrorPercentage: {value: …}.");
  }
  report.range([...path, "mirrorPercentage", "value"], mirrorPercentage?.value, 0, 100);
  if (mirror !== undefined) checkDestination(mirror, [...path, "mirror"], report);
  for (const [index, { destination, percentage }] of mirrors.entries()) {
    const at = [...path, "mirrors", index];
    if (destination === undefined) report.error(at, "the destination is missing. Name one.");
    else checkDestination(destination, [...at, "destination"], report);
    report.range([...at, "percentage", "value"], percentage?.value, 0, 100);
  }
}

export function checkCors(cors: CorsPolicySpec | undefined, path: Path, report: Report): void {
  for (const [index, origin] of (cors?.allowOrigins ?? []).entries()) {
    const at = [...path, "allowOrigins", index];
    if (!(origin.exact || origin.prefix || origin.regex))
      report.error(at, "the origin is empty. Write one, or regex: .* for all.");
    else if (origin.regex !== undefined) report.check([...at, "regex"], regexFault(origin.regex));
  }
  for (const [index, method] of (cors?.allowMethods ?? []).entries()) {
    if (METHODS.has(method)) continue;
    report.error(
      [...path, "allowMethods", index],
      `${quote(method)} is no HTTP method. Methods are written in capitals; correct it.`,
    );
  }
  for (const field of ["allowHeaders", "exposeHeaders"] as const) {
    for (const [index, name] of (cors?.[field] ?? []).entries()) {
      if (!isHeaderName(name)) report.error([...path, field, index], `${quote(name)} is no header name. Correct it.`);
    }
  }
  const maxAgeMs = cors?.maxAge === undefined ? 0 : (parseDurationMs(cors.maxAge) ?? 0);
  if (maxAgeMs % 1000 !== 0)
    report.error([...path, "maxAge"], `found ${quote(cors?.maxAge)}, expected whole seconds. Round it.`);
}
