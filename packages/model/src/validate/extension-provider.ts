/** What Istio's validation demands of `extensionProviders` that policy of ours can refer to: authorizers. policy-semantics §4.7. */

import type { ExtensionProviderSpec } from "../kind/extension-provider.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { dnsLabelFault, fqdnFault, portFault } from "./name-syntax.js";
import type { Report } from "./report.js";

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
  for (const [index, { name = "", envoyExtAuthzHttp, envoyExtAuthzGrpc }] of providers.entries()) {
    const at = [...path, index];
    if (name === "") report.error(at, "the provider has no name, so no policy can refer to it. Name it.");
    else if (names.has(name)) report.error(at, `provider ${quote(name)} is there twice. Rename one.`);
    names.add(name);
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
