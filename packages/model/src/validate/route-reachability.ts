/**
 * Rules and matches that can never be used, because an earlier one takes their requests. policy-semantics §6.3, §6.8.
 * Istio 1.26 says nothing of a rule with matches behind one without: ../analyze/rules-behind-all.ts does.
 */

import { canonicalJson } from "../document/content-hash.js";
import type { StringMatch } from "../kind/field.js";
import type { HttpMatchSpec, VirtualServiceSpec } from "../kind/virtual-service.js";
import type { Path } from "../resource.js";
import type { Report } from "./report.js";

/** Istio's codes. */
const UNREACHABLE_RULE = "IST0130";
const INEFFECTIVE_MATCH = "IST0131";

export interface Rule {
  readonly name?: string | undefined;
  readonly match?: readonly object[] | undefined;
}

export function checkReachability(spec: VirtualServiceSpec, path: Path, report: Report): void {
  checkRules(spec.http ?? [], [...path, "http"], report);
  checkRules(spec.tls ?? [], [...path, "tls"], report);
  checkRules(spec.tcp ?? [], [...path, "tcp"], report);
  checkPrefixes(spec, [...path, "http"], report);
}

function checkRules(rules: readonly Rule[], path: Path, report: Report): void {
  const unreachable = (at: Path, message: string) => report.warn(at, message, UNREACHABLE_RULE);
  /** Rule that each match, without its name, stands in. */
  const seen = new Map<string, number>();
  let catchAll: number | undefined;
  for (const [index, { match = [] }] of rules.entries()) {
    const at = [...path, index];
    if (match.length === 0) {
      if (catchAll !== undefined) {
        const message = `the rule can never be used: ${ruleName(rules, catchAll)} has no match and takes everything. Remove one of the two.`;
        unreachable(at, message);
      }
      catchAll = index;
      continue;
    }
    let duplicates = 0;
    for (const [matchIndex, part] of match.entries()) {
      const content = canonicalJson({ ...part, name: undefined });
      const earlier = seen.get(content);
      if (earlier === undefined) {
        seen.set(content, index);
        continue;
      }
      duplicates += 1;
      const message = `the match is the same as one of ${ruleName(rules, earlier)} and never used. Remove one of the two.`;
      report.warn([...at, "match", matchIndex], message, INEFFECTIVE_MATCH, "info");
    }
    if (duplicates === match.length)
      unreachable(at, "all matches of the rule stand in earlier rules, so it is never used. Remove it.");
  }
}

/** As messages name it, counted from 1. */
export function ruleName(rules: readonly Rule[], index: number): string {
  const name = rules[index]?.name;
  return name ? `rule "${name}"` : `rule ${index + 1}`;
}

interface PrefixMatch {
  readonly path: Path;
  readonly prefix: string;
  readonly port: number;
  readonly method: string;
  readonly authority: string;
  readonly maps: readonly ReadonlyMap<string, string>[];
}

/** A prefix that lies under an earlier prefix, with nothing else to tell the two apart. */
function checkPrefixes(spec: VirtualServiceSpec, path: Path, report: Report): void {
  const found: PrefixMatch[] = [];
  const contents = new Set<string>();
  for (const [index, { match = [] }] of (spec.http ?? []).entries()) {
    for (const [matchIndex, part] of match.entries()) {
      const content = canonicalJson({ ...part, name: undefined });
      if (contents.has(content)) continue;
      contents.add(content);
      const prefix = prefixMatch(part, [...path, index, "match", matchIndex]);
      if (prefix !== undefined) found.push(prefix);
    }
  }
  const byPrefix = new Map<string, PrefixMatch[]>();
  for (const later of found) {
    for (let length = 1; length < later.prefix.length; length++) {
      const earlier = byPrefix.get(later.prefix.slice(0, length))?.find((candidate) => covers(candidate, later));
      if (earlier === undefined) continue;
      const message = `prefix "${later.prefix}" lies under the earlier prefix "${earlier.prefix}", which takes its requests. Move it before that one.`;
      report.warn(later.path, message, INEFFECTIVE_MATCH, "info");
      break;
    }
    const siblings = byPrefix.get(later.prefix);
    if (siblings === undefined) byPrefix.set(later.prefix, [later]);
    else siblings.push(later);
  }
}

/** Differs from common sense, not from Istio: a match without a method counts as one for GET. */
function prefixMatch(match: HttpMatchSpec, path: Path): PrefixMatch | undefined {
  const prefix = match.uri?.prefix;
  if (!prefix) return undefined;
  const maps = [match.headers, match.queryParams, match.withoutHeaders].map(
    (map) => new Map(Object.entries(map ?? {}).map(([name, value]) => [name, pattern(value)])),
  );
  const method = pattern(match.method) || "exact:GET";
  return { path, prefix, port: match.port ?? 0, method, authority: pattern(match.authority), maps };
}

function pattern(match: StringMatch | null | undefined): string {
  if (match?.exact) return `exact:${match.exact}`;
  return match?.prefix ? `prefix:${match.prefix}` : "";
}

/** Given that the prefix does. */
function covers(earlier: PrefixMatch, later: PrefixMatch): boolean {
  if (earlier.port !== later.port) return false;
  if (!earlier.method.startsWith(later.method) || !earlier.authority.startsWith(later.authority)) return false;
  return earlier.maps.every((map, index) => {
    const other = later.maps[index];
    if (other?.size !== map.size) return false;
    return [...map].every(([name, value]) => other.has(name) && value.startsWith(other.get(name) ?? ""));
  });
}
