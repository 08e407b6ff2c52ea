/** envoy.type.matcher.v3.StringMatcher, and regexes of policy, which run in RE2's time bound only. */

import { compileRegex, foldCase, regexFault } from "@inmesh/model/internal";
import type { Findings } from "./refusal.js";
import type { Fields } from "./schema.js";

export type RegexMatcher = Fields<{ regex: string }>;

export type StringMatcher = Fields<{
  exact: string;
  prefix: string;
  suffix: string;
  safe_regex: RegexMatcher;
  contains: string;
  ignore_case: boolean;
  custom: object;
}>;

export interface StringTest {
  readonly test: (value: string) => boolean;
  /** `prefix "/api"`, for people. */
  readonly text: string;
}

/** @param where is it written, for findings. One that nobody knows is a fault, and matches nothing */
export function compileStringMatcher(matcher: StringMatcher, findings: Findings, where: string): StringTest {
  const { exact, prefix, suffix, safe_regex, contains, ignore_case = false } = matcher;
  const fold = ignore_case ? foldCase : (text: string) => text;
  const say = (kind: string, text: string): string =>
    `${kind} ${JSON.stringify(text)}${ignore_case ? " in any case" : ""}`;
  const of = (kind: string, wanted: string, test: (value: string, wanted: string) => boolean): StringTest => {
    const folded = fold(wanted);
    return { test: (value) => test(fold(value), folded), text: say(kind, wanted) };
  };
  if (exact !== undefined) return of("exact", exact, (value, wanted) => value === wanted);
  if (prefix !== undefined) return of("prefix", prefix, (value, wanted) => value.startsWith(wanted));
  if (suffix !== undefined) return of("suffix", suffix, (value, wanted) => value.endsWith(wanted));
  if (contains !== undefined) return of("contains", contains, (value, wanted) => value.includes(wanted));
  if (safe_regex !== undefined) {
    const regex = safe_regex.regex ?? "";
    return { test: regexTest(regex, findings, where), text: `regex ${JSON.stringify(regex)}` };
  }
  findings.fault(`${where} matches in no way that is known here`);
  return { test: () => false, text: "nothing" };
}

/** A whole match. What does not compile is a fault. */
export function regexTest(regex: string, findings: Findings, where: string): (value: string) => boolean {
  const fault = regexFault(regex);
  if (fault !== undefined) findings.fault(`${where} has a regex that RE2 does not take: ${fault}`);
  return compileRegex(regex);
}
