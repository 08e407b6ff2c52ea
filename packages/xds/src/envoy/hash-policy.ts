/** hash_policy of a route: the parts of a request whose hash ties it to an endpoint. */

import type { HashKey, HashPart } from "@inmesh/model";
import type { Findings } from "./refusal.js";
import { type RegexRewrite, rewriteBy } from "./rewrite.js";
import { durationMs, type Fields } from "./schema.js";

export type HashPolicy = Fields<{
  header: Fields<{ header_name: string; regex_rewrite: RegexRewrite }>;
  cookie: Fields<{
    name: string;
    ttl: string;
    path: string;
    attributes: readonly Fields<{ name: string; value: string }>[];
  }>;
  connection_properties: Fields<{ source_ip: boolean }>;
  query_parameter: Fields<{ name: string }>;
  filter_state: Fields<{ key: string }>;
  terminal: boolean;
}>;

export function compileHashKeys(
  policies: readonly HashPolicy[] | undefined,
  findings: Findings,
  where: string,
): readonly HashKey[] | undefined {
  const place = `${where}.route.hash_policy`;
  const keys = (policies ?? []).flatMap((policy): HashKey[] => {
    const part = hashPart(policy, findings, place);
    if (part === undefined) return [];
    return [policy.terminal ? { ...part, terminal: true } : part];
  });
  return keys.length === 0 ? undefined : keys;
}

/** Under which gRPC's clients keep to one endpoint for all their calls (gRFC A42). */
const CHANNEL_ID = "io.grpc.channel_id";

function hashPart(
  { header, cookie, connection_properties, query_parameter, filter_state }: HashPolicy,
  findings: Findings,
  place: string,
): HashPart | undefined {
  if (header?.header_name) {
    const rewrite = rewriteBy(header.regex_rewrite, findings, `${place}.header.regex_rewrite`);
    return { kind: "header", name: header.header_name.toLowerCase(), ...(rewrite && { rewrite }) };
  }
  if (query_parameter?.name) return { kind: "queryParameter", name: query_parameter.name };
  if (connection_properties?.source_ip) return { kind: "sourceIp" };
  if (cookie !== undefined) {
    const { name = "", path = "", ttl, attributes = [] } = cookie;
    const pairs = attributes.map((each) => [each.name ?? "", each.value ?? ""] as const);
    return { kind: "cookie", name, path, ...(ttl !== undefined && { ttlMs: durationMs(ttl, 0) }), attributes: pairs };
  }
  if (filter_state?.key === CHANNEL_ID) return { kind: "process" };
  // Other objects are left by filters of Envoy's own chains, which there are none of here.
  findings.notHonoured(`${place}.filter_state${filter_state?.key ? ` ${filter_state.key}` : ""}`);
  return undefined;
}
