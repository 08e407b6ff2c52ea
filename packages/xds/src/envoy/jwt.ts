/** jwt_authn: whose tokens are believed, and who needs one. */

import type { JwtRule, TokenPlaces } from "@inmesh/model";
import type { Findings } from "./refusal.js";
import { durationMs, type Fields } from "./schema.js";

type Provider = Fields<{
  issuer: string;
  audiences: readonly string[];
  local_jwks: Fields<{ inline_string: string; inline_bytes: Uint8Array; filename: string }>;
  remote_jwks: Fields<{ http_uri: Fields<{ uri: string; timeout: string }> }>;
  forward: boolean;
  from_headers: readonly Fields<{ name: string; value_prefix: string }>[];
  from_params: readonly string[];
  from_cookies: readonly string[];
  forward_payload_header: string;
  claim_to_headers: readonly Fields<{ header_name: string; claim_name: string }>[];
  normalize_payload_in_metadata: Fields<{ space_delimited_claims: readonly string[] }>;
}>;

type Requirement = Fields<{
  provider_name: string;
  requires_any: Fields<{ requirements: readonly Requirement[] }>;
  requires_all: Fields<{ requirements: readonly Requirement[] }>;
  allow_missing: object;
  allow_missing_or_failed: object;
  provider_and_audiences: object;
}>;

export type JwtFilter = Fields<{
  providers: Readonly<Record<string, Provider>>;
  rules: readonly Fields<{ match: Fields<{ prefix: string }>; requires: Requirement; requirement_name: string }>[];
  filter_state_rules: object;
  requirement_map: Readonly<Record<string, Requirement>>;
}>;

const DEFAULT_PLACES: TokenPlaces = {
  headers: [{ name: "Authorization", prefix: "Bearer " }],
  params: ["access_token"],
  cookies: [],
};
const FETCH_TIMEOUT_MS = 5_000;

/** As istiod writes it: every request, any of the providers, or none at all. Another shape refuses the listener. */
export function compileJwt(
  { providers = {}, rules = [], filter_state_rules }: JwtFilter,
  findings: Findings,
): readonly JwtRule[] {
  if (filter_state_rules !== undefined) findings.fault("jwt_authn.filter_state_rules are not supported");
  const required = new Map<string, boolean>();
  for (const { match, requires } of rules) {
    if (match?.prefix !== "/") findings.fault("jwt_authn has a rule for some requests, which is not supported");
    for (const [name, isRequired] of whoIsAsked(requires ?? {}, findings)) required.set(name, isRequired);
  }
  return [...required].flatMap(([name, isRequired]) => {
    const provider = providers[name];
    if (provider === undefined) {
      findings.fault(`jwt_authn names the provider ${name}, which is not there`);
      return [];
    }
    return ruleOf(name, provider, isRequired, findings);
  });
}

function whoIsAsked(spec: Requirement, findings: Findings): readonly (readonly [name: string, required: boolean])[] {
  if (spec.provider_name !== undefined) return [[spec.provider_name, true]];
  const any = spec.requires_any?.requirements ?? [];
  const all = spec.requires_all?.requirements ?? [];
  const names = any.flatMap(({ provider_name }) => provider_name ?? []);
  const others = any.filter(
    ({ provider_name, allow_missing }) => provider_name === undefined && allow_missing === undefined,
  );
  const mayBeMissing = any.some(({ allow_missing }) => allow_missing !== undefined);
  if (all.length > 0 && any.length === 0) return all.flatMap((each) => whoIsAsked(each, findings));
  // One of several, and one of them at least: what a list of rules cannot say.
  if (others.length > 0 || names.length === 0 || (!mayBeMissing && names.length > 1)) {
    findings.fault("jwt_authn has a requirement of a kind that is not supported");
  }
  return names.map((name) => [name, !mayBeMissing]);
}

function ruleOf(name: string, spec: Provider, required: boolean, findings: Findings): JwtRule {
  const { local_jwks, remote_jwks, from_headers = [], from_params = [], from_cookies = [] } = spec;
  const { inline_string, inline_bytes, filename } = local_jwks ?? {};
  const jwks = inline_string ?? (inline_bytes ? Buffer.from(inline_bytes).toString("utf8") : "");
  const jwksUri = remote_jwks?.http_uri?.uri ?? "";
  if (filename !== undefined || (jwks === "" && jwksUri === ""))
    findings.fault(`the keys of the provider ${name} are nowhere that is read`);
  const headers = from_headers.map((each) => ({ name: each.name ?? "", prefix: each.value_prefix ?? "" }));
  const written = from_headers.length + from_params.length + from_cookies.length > 0;
  return {
    issuer: spec.issuer ?? "",
    audiences: spec.audiences ?? [],
    jwks,
    jwksUri,
    places: written ? { headers, params: from_params, cookies: from_cookies } : DEFAULT_PLACES,
    required,
    forwardsToken: spec.forward === true,
    payloadHeader: spec.forward_payload_header ?? "",
    claimHeaders: (spec.claim_to_headers ?? []).map(({ header_name: header = "", claim_name: claim = "" }) => ({
      header,
      claim,
    })),
    spaceDelimited: spec.normalize_payload_in_metadata?.space_delimited_claims ?? [],
    timeoutMs: durationMs(remote_jwks?.http_uri?.timeout, FETCH_TIMEOUT_MS),
    resource: { resource: { kind: "Listener", namespace: "", name }, path: "jwt_authn" },
  };
}
