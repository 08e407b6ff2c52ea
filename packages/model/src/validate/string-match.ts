/** Matchers and expressions of policy: what may be compiled. policy-semantics §0.4. */

import { RE2JS } from "re2js";
import type { StringMatch } from "../kind/field.js";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import type { Report } from "./report.js";

const MAX_REGEX_BYTES = 1024;

export function regexFault(regex: string): string | undefined {
  if (regex === "") return "the expression is empty. Write one, or leave the matcher out.";
  if (Buffer.byteLength(regex) > MAX_REGEX_BYTES) return "the expression is longer than 1024 bytes. Shorten it.";
  try {
    RE2JS.compile(regex);
    return undefined;
  } catch (error) {
    const reason = String((error as Error).message).slice(0, 120);
    return `${quote(regex)} is no RE2 expression (${reason}). RE2 has no look-around and no back-references; rewrite it.`;
  }
}

/** @param emptyPrefix a uri prefix may be empty, other prefixes may not */
export function checkStringMatch(
  match: StringMatch | undefined,
  path: Path,
  report: Report,
  { emptyPrefix = false }: { readonly emptyPrefix?: boolean } = {},
): void {
  if (match?.regex !== undefined) report.check([...path, "regex"], regexFault(match.regex));
  if (match?.prefix === "" && !emptyPrefix) {
    report.error([...path, "prefix"], "the prefix is empty. Write {} to match any value that is present.");
  }
}
