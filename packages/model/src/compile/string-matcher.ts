/** StringMatch as a predicate. policy-semantics §0.4: case-sensitive, a regex matches the whole value. */

import { RE2JS } from "re2js";
import type { StringMatch } from "../kind/field.js";

export type StringTest = (value: string) => boolean;

/** Undefined: any value will do, it only has to be there. */
export function compileStringMatch(match: StringMatch | null): StringTest | undefined {
  if (match === null) return undefined;
  const { exact, prefix, regex } = match;
  if (exact !== undefined) return (value) => value === exact;
  if (prefix !== undefined) return (value) => value.startsWith(prefix);
  return regex === undefined || regex === "*" ? undefined : compileRegex(regex);
}

/**
 * Policy regexes run in RE2's time bound only, never as a JavaScript RegExp.
 * @returns a test that fails always when `regex` does not compile; validation has refused such a document
 */
export function compileRegex(regex: string): StringTest {
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(regex);
  } catch {
    return () => false;
  }
  return (value) => compiled.testExact(value);
}

/** `prefix "/api"`, for people. */
export function describeStringMatch(match: StringMatch | null): string {
  if (match === null) return "present";
  const { exact, prefix, regex } = match;
  if (exact !== undefined) return `exact ${JSON.stringify(exact)}`;
  if (prefix !== undefined) return `prefix ${JSON.stringify(prefix)}`;
  return regex === undefined || regex === "*" ? "present" : `regex ${JSON.stringify(regex)}`;
}
