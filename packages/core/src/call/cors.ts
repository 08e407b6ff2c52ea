/** What the CORS policy of a rule answers and adds, as Envoy's filter does. policy-semantics §1.10, §10.9. */

import type { CorsPolicy, HeaderOps, HeaderPair, MatchRequest } from "@inmesh/model";

const NONE: readonly string[] = [];
const NOTHING: HeaderOps = { remove: [], set: [], add: [] };

/** A browser's question before a request that needs permission. */
export function isPreflight(request: MatchRequest): boolean {
  return (
    request.method === "OPTIONS" &&
    (request.header("origin") ?? "") !== "" &&
    (request.header("access-control-request-method") ?? "") !== ""
  );
}

/**
 * Headers, flat `[name, value, …]`, of the answer 200 to a preflight that need not reach the upstream; undefined when it
 * is forwarded: no preflight, or an origin the policy does not name and `unmatchedPreflights` is not IGNORE.
 */
export function preflightAnswer(policy: CorsPolicy, request: MatchRequest): readonly string[] | undefined {
  if (!isPreflight(request)) return undefined;
  const origin = allowedOrigin(policy, request);
  if (origin === undefined && policy.forwardsUnmatchedPreflights) return undefined;
  const { allowMethods, allowHeaders, exposeHeaders, maxAge } = policy;
  return [
    ...permission(policy, origin),
    ...optional("access-control-allow-methods", asked(policy, request, "method", allowMethods)),
    ...optional("access-control-allow-headers", asked(policy, request, "headers", allowHeaders)),
    ...(origin === undefined ? NONE : optional("access-control-expose-headers", exposeHeaders)),
    ...optional("access-control-max-age", maxAge),
  ];
}

/** What any other answer gets; nothing for an origin the policy does not name. */
export function corsOps(policy: CorsPolicy, request: MatchRequest): HeaderOps {
  const origin = allowedOrigin(policy, request);
  if (origin === undefined) return NOTHING;
  const flat = [...permission(policy, origin), ...optional("access-control-expose-headers", policy.exposeHeaders)];
  const set = flat.flatMap((name, index): HeaderPair[] => (index % 2 === 0 ? [[name, flat[index + 1] ?? ""]] : []));
  return { remove: [], set, add: [] };
}

/** An origin that is not named gets the rest of it, as from Envoy: without its name a browser takes that as a no. */
function permission({ allowCredentials }: CorsPolicy, origin: string | undefined): readonly string[] {
  return [
    ...(origin === undefined ? NONE : ["access-control-allow-origin", origin]),
    ...(allowCredentials ? ["access-control-allow-credentials", "true"] : NONE),
  ];
}

/** What is allowed, or, where everything is and `*` would not be understood, what was asked for. */
function asked(policy: CorsPolicy, request: MatchRequest, what: "method" | "headers", allowed: string): string {
  if (allowed !== "*" || policy.repeatsWhatIsAsked !== true) return allowed;
  const value = request.header(`access-control-request-${what}`) ?? "";
  return typeof value === "string" ? value : value.join(",");
}

function optional(name: string, value: string): readonly string[] {
  return value === "" ? NONE : [name, value];
}

function allowedOrigin(policy: CorsPolicy, request: MatchRequest): string | undefined {
  const lines = request.header("origin");
  const origin = typeof lines === "object" ? lines.join(",") : lines;
  return origin !== undefined && policy.allowsOrigin(origin) ? origin : undefined;
}
