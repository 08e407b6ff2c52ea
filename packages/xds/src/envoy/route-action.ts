/** What a route does with a request that it matches. */

import type { Destination, ForwardAction, MirrorPolicy, RouteAction } from "@inmesh/model";
import { compileDirectResponse, compileRedirect, type PathTest } from "@inmesh/model/internal";
import type { HashPolicy } from "./hash-policy.js";
import { compileHeaderOps, type HeaderToAdd } from "./header-ops.js";
import { type Findings, known } from "./refusal.js";
import type { RetrySpec } from "./retry.js";
import { asPrefix, type RegexRewrite, type RewriteSpec, rewriteBy } from "./rewrite.js";
import { type AnyMessage, type Fields, fraction, type RuntimeFraction } from "./schema.js";

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

export type ForwardSpec = RewriteSpec &
  Fields<{
    cluster: string;
    cluster_header: string;
    weighted_clusters: Fields<{ clusters: readonly WeightedCluster[]; total_weight: number }>;
    cluster_not_found_response_code: string | number;
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
  ...[
    "host_rewrite_literal",
    "auto_host_rewrite",
    "host_rewrite_header",
    "host_rewrite_path_regex",
    "timeout",
    "retry_policy",
    "request_mirror_policies",
    "hash_policy",
  ],
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
export function compileForward(
  spec: ForwardSpec,
  profile: "envoy" | "grpc",
  findings: Findings,
  where: string,
): ForwardAction | undefined {
  findings.unread(spec, FORWARD_READ, `${where}.route`);
  const missingStatus = MISSING_STATUS[String(spec.cluster_not_found_response_code ?? "")];
  const end = missingStatus === undefined ? {} : { missingStatus };
  if (spec.cluster !== undefined) {
    const destinations = [destinationOf(spec.cluster, WHOLE)];
    return { kind: "forward", destinations, totalWeight: WHOLE, ...end };
  }
  // Of gRPC's clusters only those are asked for that rules name, and gRPC knows no such routes (gRFC A28).
  const named = profile === "envoy" ? spec.cluster_header : undefined;
  if (named) return { kind: "forward", destinations: [namedDestination(named, WHOLE)], totalWeight: WHOLE, ...end };
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
  if (used.some(({ name, cluster_header }) => name === undefined && !(profile === "envoy" && cluster_header))) {
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
    const own = {
      ...(requestHeaders && { requestHeaders }),
      ...(responseHeaders && { responseHeaders }),
      ...(each.host_rewrite_literal !== undefined && { authority: each.host_rewrite_literal }),
    };
    const { name, cluster_header = "", weight = 0 } = each;
    return name === undefined
      ? namedDestination(cluster_header, weight, own)
      : { ...destinationOf(name, weight), ...own };
  });
  return { kind: "forward", destinations, totalWeight: total, ...end };
}

const MISSING_STATUS: Readonly<Record<string, number>> = { NOT_FOUND: 404, INTERNAL_SERVER_ERROR: 500 };

/** `outbound|80|v1|reviews.shop.svc.cluster.local` says what it is; of any other name host and port are not known. */
export function destinationOf(cluster: string, weight: number): Destination {
  const { host, port, subset } = clusterParts(cluster);
  return { cluster, host, port, subset, weight };
}

/**
 * The cluster that a header of the request names, as it is when the route is found.
 * @param own what the destination adds
 */
function namedDestination(header: string, weight: number, own: Partial<Destination> = {}): Destination {
  const name = header.toLowerCase();
  const text = `the cluster in header ${name}`;
  const unnamed: Destination = {
    ...{ cluster: text, host: text, port: 0, subset: "", weight, ...own },
    forRequest(request) {
      const value = request.header(name);
      const cluster = typeof value === "string" ? value : value?.[0];
      return cluster ? { ...destinationOf(cluster, weight), ...own } : unnamed;
    },
  };
  return unnamed;
}

export function clusterParts(name: string): { readonly host: string; readonly port: number; readonly subset: string } {
  const [direction, port, subset, host, more] = name.split("|");
  const number = Number(port);
  if (direction !== "outbound" || !host || more !== undefined || !Number.isInteger(number))
    return { host: name, port: 0, subset: "" };
  return { host, port: number, subset: subset ?? "" };
}

export function compileMirrors(
  spec: ForwardSpec,
  profile: "envoy" | "grpc",
  findings: Findings,
  where: string,
): readonly MirrorPolicy[] {
  return (spec.request_mirror_policies ?? []).flatMap(({ cluster, cluster_header, runtime_fraction }, index) => {
    const field = spec.request_mirror_policies?.length === 1 ? "mirror" : `mirrors[${index}]`;
    const named = profile === "envoy" && cluster_header ? namedDestination(cluster_header, WHOLE) : undefined;
    const destination = cluster ? destinationOf(cluster, WHOLE) : named;
    if (destination === undefined) {
      findings.notHonoured(`${where}.route.request_mirror_policies.cluster_header`);
      return [];
    }
    const share = runtime_fraction?.default_value;
    const ratio = share === undefined ? 1 : fraction(share);
    return ratio === 0 ? [] : [{ destination, ratio, field }];
  });
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
