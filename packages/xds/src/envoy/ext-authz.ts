/** ext_authz filters of inbound chains: which service is asked whether a request may pass, and how. */

import type { ExternalAuthorizer } from "@inmesh/model";
import { type Findings, known } from "./refusal.js";
import { durationMs, type Fields, fraction, type RuntimeFraction, SCHEMA } from "./schema.js";
import type { StringMatcher } from "./string-matcher.js";

type HeaderList = Fields<{ patterns: readonly StringMatcher[] }>;

export type ExtAuthz = Fields<{
  grpc_service: Fields<{ envoy_grpc: Fields<{ cluster_name: string }>; timeout: string }>;
  http_service: Fields<{
    server_uri: Fields<{ cluster: string; timeout: string }>;
    path_prefix: string;
    authorization_request: Fields<{
      allowed_headers: HeaderList;
      headers_to_add: readonly Fields<{ key: string; value: string }>[];
    }>;
    authorization_response: Fields<{
      allowed_upstream_headers: HeaderList;
      allowed_client_headers: HeaderList;
      allowed_client_headers_on_success: HeaderList;
    }>;
  }>;
  failure_mode_allow: boolean;
  status_on_error: Fields<{ code: string | number }>;
  with_request_body: Fields<{ max_request_bytes: number; allow_partial_message: boolean; pack_as_bytes: boolean }>;
  allowed_headers: HeaderList;
  filter_enabled: RuntimeFraction;
  filter_enabled_metadata: Fields<{
    path: readonly Fields<{ key: string }>[];
    value: Fields<{ string_match: Fields<{ prefix: string }> }>;
  }>;
}>;

/** What a chain asks. */
export interface AskedAuthorizer {
  /** Empty: nobody. */
  readonly provider: string;
  /** Why nobody can be asked, so that requests that should be judged are denied. */
  readonly refusal: string;
  /** About every request; else about those that shadow rules have marked. */
  readonly always: boolean;
  readonly authorizer: ExternalAuthorizer | undefined;
}

export const NOBODY_ASKED: AskedAuthorizer = {
  provider: "",
  refusal: "the listener asks no external authorizer",
  always: false,
  authorizer: undefined,
};

/** The mark that istiod has its shadow rules make. */
const MARK = "istio_ext_authz_shadow_effective_policy_id";
/** As for authorizers that documents name. */
const TIMEOUT_MS = 600_000;
const FORBIDDEN = 403;

const READ = known(
  ...["grpc_service", "http_service", "failure_mode_allow", "status_on_error", "with_request_body", "allowed_headers"],
  ...["filter_enabled", "filter_enabled_metadata", "transport_api_version", "stat_prefix"],
  // Of statistics, and of routes, which are the application's here.
  ...["clear_route_cache", "charge_cluster_response_stats", "failure_mode_allow_header_add"],
);
/** What they would keep from the authorizer, or what switches the filter: passing them over would be a hole. */
const MUST_BE_KNOWN = ["disallowed_headers", "deny_at_disable", "decoder_header_mutation_rules", "validate_mutations"];

/** @param filter by its name, for people @param where the chain is, so that each has one of its own */
export function askedAuthorizer(filter: string, spec: ExtAuthz, where: string, findings: Findings): AskedAuthorizer {
  const { grpc_service: grpc, http_service: http, filter_enabled_metadata: metadata } = spec;
  const cluster = grpc?.envoy_grpc?.cluster_name ?? http?.server_uri?.cluster ?? "";
  const [, port = "", , host = ""] = cluster.split("|");
  const provider = `${filter} of ${where}: ${cluster}`;
  const marked = (metadata?.path ?? []).length === 1 && metadata?.path?.[0]?.key?.endsWith(MARK) === true;
  const lists = new HeaderNames();
  const { allowed_headers, headers_to_add = [] } = http?.authorization_request ?? {};
  const answer = http?.authorization_response ?? {};
  const { code = FORBIDDEN } = spec.status_on_error ?? {};
  const timeoutMs = durationMs(grpc?.timeout ?? http?.server_uri?.timeout, 0) || TIMEOUT_MS;
  const body = spec.with_request_body;
  findings.unread(spec, READ, `http_filters ${filter}`);
  const authorizer: ExternalAuthorizer = {
    ...{ name: provider, protocol: http === undefined ? "grpc" : "http", host, port: Number(port), timeoutMs },
    failOpen: spec.failure_mode_allow === true,
    statusOnError: statusOf(code),
    pathPrefix: http?.path_prefix ?? "",
    includeRequestHeaders: [...lists.of(allowed_headers), ...lists.of(spec.allowed_headers)],
    additionalHeaders: headers_to_add.map(({ key = "", value = "" }) => [key, value] as const),
    headersToUpstreamOnAllow: lists.of(answer.allowed_upstream_headers),
    headersToDownstreamOnAllow: lists.of(answer.allowed_client_headers_on_success),
    headersToDownstreamOnDeny: lists.of(answer.allowed_client_headers),
    ...(body?.max_request_bytes && {
      body: {
        maxBytes: body.max_request_bytes,
        allowPartial: body.allow_partial_message === true,
        packAsBytes: body.pack_as_bytes === true,
      },
    }),
    refusal: "",
  };
  const refusal = refusalOf(spec, { host, cluster, marked, badHeaders: lists.bad });
  return { provider, refusal, always: !marked, authorizer: refusal === "" ? authorizer : undefined };
}

interface Judged {
  readonly host: string;
  readonly cluster: string;
  readonly marked: boolean;
  readonly badHeaders: boolean;
}

/** Empty: it can be asked. */
function refusalOf(spec: ExtAuthz, { host, cluster, marked, badHeaders }: Judged): string {
  const strange = MUST_BE_KNOWN.find((name) => (spec as Record<string, unknown>)[name] !== undefined);
  if (host === "") return `the external authorizer is the cluster "${cluster}", which names no service of the mesh`;
  if (strange !== undefined) return `the external authorizer is asked with ${strange}, which this version does not do`;
  if (badHeaders) return "the external authorizer's headers are chosen by patterns that this version does not know";
  if (spec.filter_enabled_metadata !== undefined && !marked)
    return "the external authorizer is asked by metadata that this version does not know";
  const enabled = spec.filter_enabled?.default_value;
  if (enabled !== undefined && fraction(enabled) < 1) return "the external authorizer is asked for a share of requests";
  return "";
}

/** By its name, as envoy.type.v3.StatusCode has it, or by its number. */
function statusOf(code: string | number): number {
  return SCHEMA.enumeration("envoy.type.v3.StatusCode").byName.get(String(code)) ?? (Number(code) || FORBIDDEN);
}

/** Lists of names, exact or with `*` at one end, as documents write them. */
class HeaderNames {
  /** One was of another kind. */
  bad = false;

  of(list: HeaderList | undefined): readonly string[] {
    return (list?.patterns ?? []).flatMap(({ exact, prefix, suffix }) => {
      if (exact !== undefined) return exact.toLowerCase();
      if (prefix !== undefined) return `${prefix.toLowerCase()}*`;
      if (suffix !== undefined) return `*${suffix.toLowerCase()}`;
      this.bad = true;
      return [];
    });
  }
}
