/** Rules of the CORS filter of an HTTPRoute. policy-semantics §5.3. */

import type { GatewayCorsSpec } from "../kind/gateway-http-route.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { isHeaderName } from "./header-syntax.js";
import type { Report } from "./report.js";

const ORIGIN = /^(?:\*|[a-zA-Z][a-zA-Z0-9+.-]*:\/\/(?:\*|(?:\*\.)?[^*/?#:]+|\[[0-9a-fA-F:.]+\])(?::(?:\d{1,5}|\*))?)$/;

const METHODS: ReadonlySet<string> = new Set([
  ...["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "*"],
]);

export function checkGatewayCors(cors: GatewayCorsSpec | undefined, path: Path, report: Report): void {
  if (cors === undefined) return;
  const { allowOrigins = [], allowMethods = [], allowHeaders = [], exposeHeaders = [], maxAge } = cors;
  for (const [index, origin] of allowOrigins.entries()) {
    if (ORIGIN.test(origin)) continue;
    const form = "https://example.com, https://*.example.com or *";
    report.error([...path, "allowOrigins", index], `found ${quote(origin)}, expected an origin such as ${form}.`);
  }
  for (const [index, method] of allowMethods.entries()) {
    if (METHODS.has(method)) continue;
    report.error([...path, "allowMethods", index], `${quote(method)} is no HTTP method. Write it in capitals.`);
  }
  for (const [field, names] of [["allowHeaders", allowHeaders] as const, ["exposeHeaders", exposeHeaders] as const]) {
    for (const [index, name] of names.entries()) {
      if (!isHeaderName(name)) report.error([...path, field, index], `${quote(name)} is no header name. Correct it.`);
    }
  }
  const lists = { allowOrigins, allowMethods, allowHeaders };
  for (const [field, values] of Object.entries(lists)) {
    if (values.includes("*") && values.length > 1) {
      report.error([...path, field], '"*" must stand alone. Remove the others, or it.');
    }
  }
  if (maxAge !== undefined && maxAge < 1) {
    report.error([...path, "maxAge"], `found ${maxAge}, expected at least 1 second. Raise it, or remove it.`);
  }
}
