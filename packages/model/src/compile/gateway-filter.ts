/** Filters of HTTPRoutes and GRPCRoutes: changes of headers, path and host, redirects, CORS. policy-semantics §5.3. */

import type {
  GatewayCorsSpec,
  GatewayFilterSpec,
  GatewayPathModifierSpec,
  GatewayRedirectSpec,
} from "../kind/gateway-http-route.js";
import type { GatewayHeaderModifierSpec } from "../kind/gateway-route.js";
import type { HeaderOperationsSpec } from "../kind/virtual-service.js";
import type { CorsPolicy, RedirectAction, Rewrite } from "../snapshot/route.js";
import type { PathTest } from "./path-test.js";
import { redirectPath, withoutPort, writtenPort } from "./redirect.js";
import { prefixRewrite } from "./rewrite.js";
import { compileRegex } from "./string-matcher.js";

const REDIRECT_STATUS = 302;
/** In seconds. */
const CORS_MAX_AGE = 5;

/** In the form of a VirtualService: names in lower case, of equal ones the first, and no commands in values. */
export function headerOperations(modifier: GatewayHeaderModifierSpec | undefined): HeaderOperationsSpec | undefined {
  if (modifier === undefined) return undefined;
  return { set: literals(modifier.set), add: literals(modifier.add), remove: modifier.remove ?? [] };
}

function literals(headers: GatewayHeaderModifierSpec["set"] = []): Record<string, string> {
  const first = new Map<string, string>();
  for (const { name = "", value = "" } of headers) {
    const key = name.toLowerCase();
    if (!first.has(key)) first.set(key, value.replaceAll("%", "%%"));
  }
  return Object.fromEntries(first);
}

/** The one filter of its type: validation has refused a second. */
export function filterOf<Field extends keyof GatewayFilterSpec>(
  filters: readonly GatewayFilterSpec[] | undefined,
  field: Field,
): GatewayFilterSpec[Field] | undefined {
  return filters?.find((filter) => filter[field] !== undefined)?.[field];
}

/** @param authority of a header operation on `Host`; the filter's own host name comes first */
export function compileUrlRewrite(
  spec: GatewayFilterSpec["urlRewrite"],
  authority: string | undefined,
  matched: PathTest,
): Rewrite | undefined {
  const host = spec?.hostname ?? authority;
  const path = spec?.path && pathModifier(spec.path, matched);
  if (path === undefined && host === undefined) return undefined;
  return { ...(path && { path }), ...(host !== undefined && { authority: host }) };
}

function pathModifier(spec: GatewayPathModifierSpec, matched: PathTest): (path: string) => string {
  if (spec.type === "ReplacePrefixMatch") return prefixRewrite(spec.replacePrefixMatch ?? "", matched);
  const whole = spec.replaceFullPath || "/";
  return () => whole;
}

/** @param port the port being addressed, which takes the place of a listener's */
export function compileGatewayRedirect(spec: GatewayRedirectSpec, port: number, matched: PathTest): RedirectAction {
  const { scheme, hostname, path: modifier } = spec;
  const ownPort = spec.port ?? (scheme === undefined ? port : 0); // a scheme brings its well-known port
  const pathOf = redirectPath(
    modifier?.type === "ReplacePrefixMatch"
      ? { prefixRewrite: modifier.replacePrefixMatch || "/" }
      : modifier === undefined
        ? {}
        : { uri: modifier.replaceFullPath || "/" },
    matched,
  );
  return {
    kind: "redirect",
    status: spec.statusCode ?? REDIRECT_STATUS,
    location(request) {
      const target = scheme ?? request.scheme;
      const host = hostname ?? withoutPort(request.authority);
      return `${target}://${host}${writtenPort(target, ownPort)}${pathOf(request.path)}`;
    },
  };
}

export function compileGatewayCors(filters: readonly GatewayFilterSpec[] = []): CorsPolicy | undefined {
  const index = filters.findIndex(({ cors }) => cors !== undefined); // validation has refused a second
  const spec = filters[index]?.cors;
  return spec && corsPolicy(spec, `filters[${index}].cors`);
}

function corsPolicy(spec: GatewayCorsSpec, field: string): CorsPolicy {
  const tests = (spec.allowOrigins ?? []).map(originTest);
  const allowCredentials = spec.allowCredentials ?? false;
  return {
    allowsOrigin: (origin) => tests.some((test) => test(origin)),
    allowMethods: (spec.allowMethods ?? []).join(","),
    allowHeaders: (spec.allowHeaders ?? []).join(","),
    exposeHeaders: (spec.exposeHeaders ?? []).join(","),
    maxAge: String(spec.maxAge ?? CORS_MAX_AGE),
    allowCredentials,
    forwardsUnmatchedPreflights: false,
    field,
    ...(allowCredentials && { repeatsWhatIsAsked: true }),
  };
}

/** `*`, `https://example.com`, `https://*.example.com`, `http://localhost:*`. */
function originTest(pattern: string): (origin: string) => boolean {
  if (pattern === "*") return () => true;
  if (!pattern.includes("*")) return (origin) => origin === pattern;
  const escaped = pattern.replace(/[.+?^$()[\]{}|\\]/g, "\\$&");
  return compileRegex(escaped.replace(/:\*$/, ":[0-9]+").replaceAll("*", "[-A-Za-z0-9.:]+"));
}
