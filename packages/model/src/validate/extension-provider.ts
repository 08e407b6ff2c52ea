/** What Istio's validation demands of `extensionProviders` that policy of ours can refer to: authorizers and logs. policy-semantics §3.7, §4.7. */

import type { ExtensionProviderSpec } from "../kind/extension-provider.js";
import type { MeshConfigSpec } from "../kind/mesh-config.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { dnsLabelFault, fqdnFault, portFault } from "./name-syntax.js";
import type { Report } from "./report.js";
import { checkLogFormat } from "./telemetry.js";

type HttpSpec = NonNullable<ExtensionProviderSpec["envoyExtAuthzHttp"]>;

const HEADER_LISTS = [
  "includeRequestHeadersInCheck",
  "includeHeadersInCheck",
  "headersToUpstreamOnAllow",
  "headersToDownstreamOnDeny",
  "headersToDownstreamOnAllow",
] as const;

export function checkExtensionProviders(providers: readonly ExtensionProviderSpec[], path: Path, report: Report): void {
  const names = new Set<string>();
  for (const [index, provider] of providers.entries()) {
    const { name = "", envoyExtAuthzHttp, envoyExtAuthzGrpc } = provider;
    const at = [...path, index];
    if (name === "") report.error(at, "the provider has no name, so no policy can refer to it. Name it.");
    else if (names.has(name)) report.error(at, `provider ${quote(name)} is there twice. Rename one.`);
    names.add(name);
    for (const kind of ["envoyFileAccessLog", "envoyOtelAls"] as const) {
      const format = provider[kind]?.logFormat;
      if (format?.text) checkLogFormat(format.text, [...at, kind, "logFormat", "text"], report);
      checkLogLabels(format?.labels, [...at, kind, "logFormat", "labels"], report);
    }
    const authorizer = envoyExtAuthzHttp ?? envoyExtAuthzGrpc;
    if (authorizer === undefined) continue;
    const field = envoyExtAuthzHttp === undefined ? "envoyExtAuthzGrpc" : "envoyExtAuthzHttp";
    checkAuthorizer(authorizer, [...at, field], report);
    if (envoyExtAuthzHttp !== undefined) checkHttp(envoyExtAuthzHttp, [...at, field], report);
  }
}

function checkAuthorizer(
  spec: NonNullable<ExtensionProviderSpec["envoyExtAuthzGrpc"]>,
  path: Path,
  report: Report,
): void {
  const { service = "", port = 0, statusOnError, includeRequestBodyInCheck } = spec;
  const slash = service.indexOf("/");
  if (service === "") report.error(path, "it names no service to ask. Write service: authz.shop.svc.cluster.local.");
  else {
    if (slash >= 0) report.check([...path, "service"], dnsLabelFault(service.slice(0, slash)));
    report.check([...path, "service"], fqdnFault(service.slice(slash + 1)));
  }
  report.check(port === 0 ? path : [...path, "port"], portFault(port));
  if (statusOnError && !/^[2-5]\d\d$/.test(statusOnError)) {
    report.error([...path, "statusOnError"], `${quote(statusOnError)} is no HTTP status. Write one, such as "503".`);
  }
  if (includeRequestBodyInCheck !== undefined && (includeRequestBodyInCheck.maxRequestBytes ?? 0) === 0) {
    report.error(
      [...path, "includeRequestBodyInCheck"],
      "it does not say how much of the body. Write maxRequestBytes.",
    );
  }
}

function checkHttp(spec: HttpSpec, path: Path, report: Report): void {
  const { pathPrefix = "" } = spec;
  if (pathPrefix !== "" && !/^\/[^\s?#]*$/.test(pathPrefix)) {
    report.error([...path, "pathPrefix"], `${quote(pathPrefix)} is no path. Write one that begins with "/".`);
  }
  for (const field of HEADER_LISTS) {
    for (const [index, name] of (spec[field] ?? []).entries()) {
      if (name !== "*" && name !== "" && !name.slice(1, -1).includes("*")) continue;
      const advice = 'Write whole names, or "*" at one end of some';
      report.error([...path, field, index], `${quote(name)} is no name of a header. ${advice}.`);
    }
  }
}

/** `accessLogFormat` is text, or an object written as JSON. */
export function checkAccessLog(
  { accessLogFormat, accessLogEncoding }: Pick<MeshConfigSpec, "accessLogFormat" | "accessLogEncoding">,
  path: Path,
  report: Report,
): void {
  if (!accessLogFormat) return;
  const at = [...path, "accessLogFormat"];
  if (accessLogEncoding !== "JSON") return checkLogFormat(accessLogFormat, at, report);
  try {
    const value: unknown = JSON.parse(accessLogFormat);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return checkLogLabels(value, at, report);
  } catch {}
  report.warn(
    at,
    "with accessLogEncoding JSON it is an object as JSON, and this is none: the default is used. Correct it.",
  );
}

const DEEPEST_LABELS = 8;

/** Formats anywhere in an object. */
function checkLogLabels(value: unknown, path: Path, report: Report, depth = 0): void {
  if (typeof value === "string") return checkLogFormat(value, path, report);
  if (typeof value !== "object" || value === null || depth > DEEPEST_LABELS) return;
  for (const [key, part] of Object.entries(value)) {
    checkLogLabels(part, [...path, Array.isArray(value) ? Number(key) : key], report, depth + 1);
  }
}
