/** What a route does with a request that it matches. */

import type { Destination, ForwardAction, HashKey, MirrorPolicy, Rewrite, RouteAction } from "@inmesh/model";
import {
  compileDirectResponse,
  compileRedirect,
  type PathTest,
  prefixRewrite,
  regexFault,
  regexRewrite,
} from "@inmesh/model/internal";
import { compileHeaderOps, type HeaderToAdd } from "./header-ops.js";
import { type Findings, known } from "./refusal.js";
import type { RetrySpec } from "./retry.js";
import { type AnyMessage, durationMs, type Fields, fraction, type RuntimeFraction } from "./schema.js";
import type { RegexMatcher } from "./string-matcher.js";

type RegexRewrite = Fields<{ pattern: RegexMatcher; substitution: string }>;

export type WeightedCluster = Fields<{
  name: string;
  cluster_header: string;
  weight: number;
  request_headers_to_add: readonly HeaderToAdd[];
  request_headers_to_remove: readonly string[];
  response_headers_to_add: readonly HeaderToAdd[];
  response_headers_to_remove: readonly string[];
  typed_per_filter_config: Readonly<Record<string, AnyMessage>>;
  host_rewrite_literal: string;
}>;

export type ForwardSpec = Fields<{
  cluster: string;
  cluster_header: string;
  weighted_clusters: Fields<{ clusters: readonly WeightedCluster[]; total_weight: number }>;
  cluster_not_found_response_code: string | number;
  prefix_rewrite: string;
  regex_rewrite: RegexRewrite;
  host_rewrite_literal: string;
  auto_host_rewrite: boolean;
  host_rewrite_header: string;
  host_rewrite_path_regex: RegexRewrite;
  timeout: string;
  retry_policy: RetrySpec;
  request_mirror_policies: readonly Fields<{
    cluster: string;
    cluster_header: string;
    runtime_fraction: RuntimeFraction;
  }>[];
  hash_policy: readonly HashPolicy[];
  cors: object;
  max_stream_duration: Fields<{ max_stream_duration: string; grpc_timeout_header_max: string }>;
}>;

type HashPolicy = Fields<{
  header: Fields<{ header_name: string; regex_rewrite: object }>;
  cookie: Fields<{
    name: string;
    ttl: string;
    path: string;
    attributes: readonly Fields<{ name: string; value: string }>[];
  }>;
  connection_properties: Fields<{ source_ip: boolean }>;
  query_parameter: Fields<{ name: string }>;
  filter_state: object;
  terminal: boolean;
}>;

export type RedirectSpec = Fields<{
  https_redirect: boolean;
  scheme_redirect: string;
  host_redirect: string;
  port_redirect: number;
  path_redirect: string;
  prefix_rewrite: string;
  regex_rewrite: RegexRewrite;
  response_code: string | number;
  strip_query: boolean;
}>;

export type DirectResponseSpec = Fields<{
  status: number;
  body: Fields<{ inline_string: string; inline_bytes: Uint8Array; filename: string }>;
}>;

const FORWARD_READ = known(
  ...[
    "cluster",
    "cluster_header",
    "weighted_clusters",
    "cluster_not_found_response_code",
    "prefix_rewrite",
    "regex_rewrite",
  ],
  ...["host_rewrite_literal", "auto_host_rewrite", "timeout", "retry_policy", "request_mirror_policies", "hash_policy"],
  // Envoy's own ways of the same, or of what no client of this process does: upgrades, gRPC's deadline in a header.
  ...[
    "max_stream_duration",
    "max_grpc_timeout",
    "grpc_timeout_offset",
    "upgrade_configs",
    "priority",
    "metadata_match",
  ],
  "append_x_forwarded_host",
);

/** Requests per destination are drawn from this where there is only one. */
const WHOLE = 100;
const MOST_WEIGHT = 2 ** 32 - 1;

/** @returns undefined where nobody can be asked: the reason is among the findings */
export function compileForward(spec: ForwardSpec, findings: Findings, where: string): ForwardAction | undefined {
  findings.unread(spec, FORWARD_READ, `${where}.route`);
  const missingStatus = MISSING_STATUS[String(spec.cluster_not_found_response_code ?? "")];
  const end = missingStatus === undefined ? {} : { missingStatus };
  if (spec.cluster !== undefined) {
    const destinations = [destinationOf(spec.cluster, WHOLE)];
    return { kind: "forward", destinations, totalWeight: WHOLE, ...end };
  }
  const { clusters } = spec.weighted_clusters ?? {};
  if (clusters === undefined) {
    findings.notHonoured(
      `${where}.route.${spec.cluster_header === undefined ? "cluster_specifier" : "cluster_header"}`,
    );
    return undefined;
  }
  const total = clusters.reduce((sum, { weight = 0 }) => sum + weight, 0);
  if (total <= 0 || total > MOST_WEIGHT) {
    findings.fault(
      `${where}.route.weighted_clusters have weights that add up to ${total}, expected 1 to ${MOST_WEIGHT}`,
    );
  }
  const used = clusters.filter(({ weight = 0 }) => weight > 0);
  if (used.some(({ name }) => name === undefined)) {
    findings.notHonoured(`${where}.route.weighted_clusters.cluster_header`);
    return undefined;
  }
  const place = `${where}.route.weighted_clusters`;
  const destinations = used.map((each): Destination => {
    if (each.typed_per_filter_config !== undefined) findings.notHonoured(`${place}.typed_per_filter_config`);
    const { request_headers_to_add, request_headers_to_remove, response_headers_to_add, response_headers_to_remove } =
      each;
    const requestHeaders = compileHeaderOps(
      request_headers_to_add,
      request_headers_to_remove,
      findings,
      `${place}.request_headers`,
    );
    const responseHeaders = compileHeaderOps(
      response_headers_to_add,
      response_headers_to_remove,
      findings,
      `${place}.response_headers`,
    );
    return {
      ...destinationOf(each.name ?? "", each.weight ?? 0),
      ...(requestHeaders && { requestHeaders }),
      ...(responseHeaders && { responseHeaders }),
      ...(each.host_rewrite_literal !== undefined && { authority: each.host_rewrite_literal }),
    };
  });
  return { kind: "forward", destinations, totalWeight: total, ...end };
}

const MISSING_STATUS: Readonly<Record<string, number>> = { NOT_FOUND: 404, INTERNAL_SERVER_ERROR: 500 };

/** `outbound|80|v1|reviews.shop.svc.cluster.local` says what it is; of any other name host and port are not known. */
export function destinationOf(cluster: string, weight: number): Destination {
  const { host, port, subset } = clusterParts(cluster);
  return { cluster, host, port, subset, weight };
}

export function clusterParts(name: string): { readonly host: string; readonly port: number; readonly subset: string } {
  const [direction, port, subset, host, more] = name.split("|");
  const number = Number(port);
  if (direction !== "outbound" || !host || more !== undefined || !Number.isInteger(number))
    return { host: name, port: 0, subset: "" };
  return { host, port: number, subset: subset ?? "" };
}

export function compileMirrors(spec: ForwardSpec, findings: Findings, where: string): readonly MirrorPolicy[] {
  return (spec.request_mirror_policies ?? []).flatMap(({ cluster, runtime_fraction }, index) => {
    const field = spec.request_mirror_policies?.length === 1 ? "mirror" : `mirrors[${index}]`;
    if (!cluster) {
      findings.notHonoured(`${where}.route.request_mirror_policies.cluster_header`);
      return [];
    }
    const share = runtime_fraction?.default_value;
    const ratio = share === undefined ? 1 : fraction(share);
    return ratio === 0 ? [] : [{ destination: destinationOf(cluster, WHOLE), ratio, field }];
  });
}

export function compileHashKeys(spec: ForwardSpec, findings: Findings, where: string): readonly HashKey[] | undefined {
  const place = `${where}.route.hash_policy`;
  const keys = (spec.hash_policy ?? []).flatMap(
    ({ header, cookie, connection_properties, query_parameter, terminal }): HashKey[] => {
      if (terminal) findings.notHonoured(`${place}.terminal`);
      if (header?.header_name) {
        if (header.regex_rewrite !== undefined) findings.notHonoured(`${place}.header.regex_rewrite`);
        return [{ kind: "header", name: header.header_name.toLowerCase() }];
      }
      if (query_parameter?.name) return [{ kind: "queryParameter", name: query_parameter.name }];
      if (connection_properties?.source_ip) return [{ kind: "sourceIp" }];
      if (cookie !== undefined) {
        const { name = "", path = "", ttl, attributes = [] } = cookie;
        const pairs = attributes.map((each) => [each.name ?? "", each.value ?? ""] as const);
        return [
          { kind: "cookie", name, path, ...(ttl !== undefined && { ttlMs: durationMs(ttl, 0) }), attributes: pairs },
        ];
      }
      findings.notHonoured(`${place}.filter_state`);
      return [];
    },
  );
  return keys.length === 0 ? undefined : keys;
}

export function compileRewrite(
  spec: ForwardSpec,
  matched: PathTest,
  findings: Findings,
  where: string,
): Rewrite | undefined {
  const { prefix_rewrite: prefix, regex_rewrite: regex, host_rewrite_literal: authority, auto_host_rewrite } = spec;
  if (auto_host_rewrite) findings.notHonoured(`${where}.route.auto_host_rewrite`);
  const path = prefix
    ? prefixRewrite(prefix, asPrefix(matched))
    : rewriteBy(regex, findings, `${where}.route.regex_rewrite`);
  if (path === undefined && authority === undefined) return undefined;
  return { ...(path && { path }), ...(authority !== undefined && { authority }) };
}

function rewriteBy(
  regex: RegexRewrite | undefined,
  findings: Findings,
  where: string,
): ((path: string) => string) | undefined {
  if (regex === undefined) return undefined;
  const pattern = regex.pattern?.regex ?? "";
  const fault = regexFault(pattern);
  if (fault !== undefined) findings.fault(`${where} has a pattern that RE2 does not take: ${fault}`);
  // A group that is not there changes nothing, as in Envoy.
  return regexRewrite(pattern, regex.substitution ?? "");
}

/** Of whole elements Envoy puts the new text in place of the old, and adds or drops no slash. */
function asPrefix(matched: PathTest): PathTest {
  return matched.kind === "elements" ? { kind: "prefix", text: matched.text, ignoreCase: false } : matched;
}

const REDIRECTS: Readonly<Record<string, number>> = {
  ...{ MOVED_PERMANENTLY: 301, FOUND: 302, SEE_OTHER: 303, TEMPORARY_REDIRECT: 307, PERMANENT_REDIRECT: 308 },
};

/** @param port the port being addressed */
export function redirectAction(
  spec: RedirectSpec,
  port: number,
  matched: PathTest,
  findings: Findings,
  where: string,
): RouteAction {
  const {
    https_redirect,
    scheme_redirect,
    host_redirect,
    port_redirect,
    path_redirect,
    prefix_rewrite,
    response_code,
  } = spec;
  const by = rewriteBy(spec.regex_rewrite, findings, `${where}.redirect.regex_rewrite`);
  const code = REDIRECTS[String(response_code ?? "MOVED_PERMANENTLY")] ?? 301;
  const scheme = https_redirect ? "https" : scheme_redirect;
  const action = compileRedirect(
    {
      ...(scheme !== undefined && { scheme }),
      ...(host_redirect !== undefined && { authority: host_redirect }),
      ...(port_redirect !== undefined && { port: port_redirect }),
      ...(path_redirect !== undefined && { uri: path_redirect }),
      ...(prefix_rewrite !== undefined && { prefixRewrite: prefix_rewrite }),
      redirectCode: code,
    },
    port,
    asPrefix(matched),
  );
  if (!spec.strip_query && by === undefined) return action;
  return {
    ...action,
    location(request) {
      const { path } = request;
      const end = path.indexOf("?") < 0 ? path.length : path.indexOf("?");
      const changed = (by?.(path.slice(0, end)) ?? path.slice(0, end)) + (spec.strip_query ? "" : path.slice(end));
      return action.location({ ...request, path: changed, header: (name) => request.header(name) });
    },
  };
}

export function directResponse(spec: DirectResponseSpec, findings: Findings, where: string): RouteAction {
  const { status = 200, body } = spec;
  const { inline_string, inline_bytes } = body ?? {};
  if (body !== undefined && inline_string === undefined && inline_bytes === undefined) {
    findings.notHonoured(`${where}.direct_response.body that is in a file`);
  }
  const text = inline_string ?? (inline_bytes && Buffer.from(inline_bytes));
  if (typeof text !== "object")
    return compileDirectResponse({ status, ...(text !== undefined && { body: { string: text } }) });
  return { kind: "directResponse", status, body: new Uint8Array(text) };
}
