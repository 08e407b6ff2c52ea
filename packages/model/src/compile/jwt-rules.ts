/** RequestAuthentications of a workload as one list of issuers. policy-semantics §4.3. */

import type { JwtRuleSpec, RequestAuthenticationSpec } from "../kind/request-authentication.js";
import type { Resource } from "../resource.js";
import type { JwtRule, TokenPlaces } from "../snapshot/security.js";
import { durationMs } from "./duration-ms.js";

const FETCH_TIMEOUT_MS = 5_000;

/** Where a rule that names none looks for tokens, in this order. */
const DEFAULT_PLACES: TokenPlaces = {
  headers: [{ name: "Authorization", prefix: "Bearer " }],
  params: ["access_token"],
  cookies: [],
};

/** All of them together: no document takes another's place. In order of issuer. */
export function jwtRules(documents: readonly Resource<RequestAuthenticationSpec>[]): readonly JwtRule[] {
  const rules = documents.flatMap(({ kind, namespace, name, spec }) =>
    (spec.jwtRules ?? []).map((rule, index) => {
      const resource = { kind, namespace, name };
      return compileRule(rule, { resource, path: `spec.jwtRules[${index}]` });
    }),
  );
  return rules.sort((a, b) => (a.issuer < b.issuer ? -1 : a.issuer > b.issuer ? 1 : 0));
}

function compileRule(spec: JwtRuleSpec, resource: JwtRule["resource"]): JwtRule {
  return {
    issuer: spec.issuer ?? "",
    audiences: spec.audiences ?? [],
    jwks: spec.jwks ?? "",
    jwksUri: spec.jwksUri ?? spec.jwks_uri ?? "",
    places: placesOf(spec),
    required: spec.presence === "REQUIRED",
    forwardsToken: spec.forwardOriginalToken === true,
    payloadHeader: spec.outputPayloadToHeader ?? "",
    claimHeaders: (spec.outputClaimToHeaders ?? []).map(({ header = "", claim = "" }) => ({ header, claim })),
    spaceDelimited: spec.spaceDelimitedClaims ?? [],
    timeoutMs: durationMs(spec.timeout, FETCH_TIMEOUT_MS),
    resource,
  };
}

function placesOf({ fromHeaders = [], fromParams = [], fromCookies = [] }: JwtRuleSpec): TokenPlaces {
  if (fromHeaders.length + fromParams.length + fromCookies.length === 0) return DEFAULT_PLACES;
  const headers = fromHeaders.map(({ name = "", prefix = "" }) => ({ name, prefix }));
  return { headers, params: fromParams, cookies: fromCookies };
}
