/** The path condition of a rule: a raw string prefix, whole elements, an exact path or a regex, over the path without its query. */

import type { StringMatch } from "../kind/field.js";
import { compileRegex, describeStringMatch, type StringTest } from "./string-matcher.js";

export type PathTest =
  | { readonly kind: "any" }
  /** `text` is folded when case is ignored. */
  | { readonly kind: "exact" | "prefix"; readonly text: string; readonly ignoreCase: boolean }
  /** Whole elements of the path: `/a` means `/a` and `/a/b`, but not `/ab`. `text` has no slash at its end. */
  | { readonly kind: "elements"; readonly text: string }
  /** `prefix` is what every match begins with. */
  | { readonly kind: "regex"; readonly text: string; readonly test: StringTest; readonly prefix: string };

const ANY: PathTest = { kind: "any" };

/** `ignoreUriCase` concerns exact and prefix only. `{}` and the regex `*` want some path, and there always is one. */
export function compilePathTest(uri: StringMatch | undefined, ignoreCase: boolean): PathTest {
  if (uri === undefined) return ANY;
  const { exact, prefix, regex } = uri;
  if (exact !== undefined) return { kind: "exact", text: ignoreCase ? foldCase(exact) : exact, ignoreCase };
  if (prefix !== undefined) return { kind: "prefix", text: ignoreCase ? foldCase(prefix) : prefix, ignoreCase };
  if (regex === undefined || regex === "*") return ANY;
  return { kind: "regex", text: regex, test: compileRegex(regex), prefix: literalPrefix(regex) };
}

/** A prefix as Gateway API understands it: a slash at its end does not count. */
export function elementsTest(prefix: string): PathTest {
  return { kind: "elements", text: prefix.endsWith("/") ? prefix.slice(0, -1) : prefix };
}

/** Literal characters a whole match must begin with; empty when that is not plain to see. */
export function literalPrefix(regex: string): string {
  if (regex.includes("|")) return "";
  // A character followed by a quantifier may be missing, so it does not count.
  const literal = /^\^?((?:(?:[\w/~%&=:;,@!#-]|\\[/.-])(?![*+?{]))*)/.exec(regex);
  return (literal?.[1] ?? "").replaceAll("\\", "");
}

/** Index of the query, or the length when there is none. */
export function pathEnd(path: string): number {
  const query = path.indexOf("?");
  return query < 0 ? path.length : query;
}

export function matchesPath(test: PathTest, path: string): boolean {
  if (test.kind === "any") return true;
  const end = pathEnd(path);
  if (test.kind === "regex") return test.test(path.slice(0, end));
  if (test.kind === "elements") {
    const { length } = test.text;
    return path.startsWith(test.text) && (length === end || path[length] === "/");
  }
  const { text, ignoreCase } = test;
  if (test.kind === "exact" ? text.length !== end : text.length > end) return false;
  return ignoreCase ? foldedStartsWith(path, text, 0) : path.startsWith(text);
}

export function describePath(uri: StringMatch, ignoreCase: boolean): string {
  return `path ${describeStringMatch(uri)}${ignoreCase ? " in any case" : ""}`;
}

/** ASCII only, as Envoy folds. */
export function foldCase(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** Whether `path` continues at `offset` with `folded`, whatever the case of its ASCII letters. */
export function foldedStartsWith(path: string, folded: string, offset: number): boolean {
  if (path.length - offset < folded.length) return false;
  for (let index = 0; index < folded.length; index++) {
    if (foldCode(path.charCodeAt(offset + index)) !== folded.charCodeAt(index)) return false;
  }
  return true;
}

export function foldCode(code: number): number {
  return code >= 65 && code <= 90 ? code + 32 : code;
}
