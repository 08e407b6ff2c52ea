/** What of a request a route writes anew before it is sent: its path, its host. */

import type { Rewrite } from "@inmesh/model";
import { type PathTest, prefixRewrite, regexFault, regexRewrite } from "@inmesh/model/internal";
import type { Findings } from "./refusal.js";
import type { Fields } from "./schema.js";
import type { RegexMatcher } from "./string-matcher.js";

export type RegexRewrite = Fields<{ pattern: RegexMatcher; substitution: string }>;

export type RewriteSpec = Fields<{
  prefix_rewrite: string;
  regex_rewrite: RegexRewrite;
  host_rewrite_literal: string;
  auto_host_rewrite: boolean;
  host_rewrite_header: string;
  host_rewrite_path_regex: RegexRewrite;
  append_x_forwarded_host: boolean;
}>;

export function compileRewrite(
  spec: RewriteSpec,
  matched: PathTest,
  findings: Findings,
  where: string,
): Rewrite | undefined {
  const { prefix_rewrite: prefix, regex_rewrite: regex, host_rewrite_literal: authority } = spec;
  const path = prefix
    ? prefixRewrite(prefix, asPrefix(matched))
    : rewriteBy(regex, findings, `${where}.route.regex_rewrite`);
  const authorityOf = compileHostRewrite(spec, findings, where);
  const rewrite: Rewrite = {
    ...(path && { path }),
    ...(authority !== undefined && { authority }),
    ...(authorityOf && { authorityOf }),
    ...(spec.auto_host_rewrite && { endpointAuthority: true }),
    ...(spec.append_x_forwarded_host && { forwardsHost: true }),
  };
  return Object.keys(rewrite).length === 0 ? undefined : rewrite;
}

/** By a header, as the rule leaves it, of which the first line counts; or by the path without its query. */
function compileHostRewrite(spec: RewriteSpec, findings: Findings, where: string): Rewrite["authorityOf"] {
  const header = spec.host_rewrite_header?.toLowerCase();
  if (header) {
    return (request) => {
      const value = request.header(header);
      return (typeof value === "string" ? value : value?.[0]) || undefined;
    };
  }
  const byPath = rewriteBy(spec.host_rewrite_path_regex, findings, `${where}.route.host_rewrite_path_regex`);
  return byPath && (({ path }) => byPath(path.replace(/[?#].*$/s, "")));
}

export function rewriteBy(
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
export function asPrefix(matched: PathTest): PathTest {
  return matched.kind === "elements" ? { kind: "prefix", text: matched.text, ignoreCase: false } : matched;
}
