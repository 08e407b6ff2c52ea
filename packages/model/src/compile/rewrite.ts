/** rewrite: what becomes of the path, which depends on how the request was matched. policy-semantics §1.6, §10.4. */

import { RE2JS } from "re2js";
import type { HttpRewriteSpec } from "../kind/virtual-service.js";
import type { Rewrite } from "../snapshot/route.js";
import type { PathTest } from "./path-test.js";

type PathRewrite = (path: string) => string;

/** @param authority rewrite.authority or a header operation on it, precedence decided */
export function compileRewrite(
  spec: HttpRewriteSpec | undefined,
  authority: string | undefined,
  matched: PathTest,
): Rewrite | undefined {
  const path = spec === undefined ? undefined : pathRewrite(spec, matched);
  if (path === undefined && authority === undefined) return undefined;
  return { ...(path && { path }), ...(authority !== undefined && { authority }) };
}

function pathRewrite({ uri, uriRegexRewrite }: HttpRewriteSpec, matched: PathTest): PathRewrite | undefined {
  if (uri !== undefined && uri !== "") return prefixRewrite(uri, matched);
  if (uriRegexRewrite?.match === undefined || uriRegexRewrite.match === "") return undefined;
  return regexRewrite(uriRegexRewrite.match, uriRegexRewrite.rewrite ?? "");
}

/** Also redirect.prefixRewrite. */
export function prefixRewrite(uri: string, matched: PathTest): PathRewrite {
  switch (matched.kind) {
    case "prefix": {
      const { length } = matched.text;
      return (path) => uri + path.slice(length);
    }
    case "elements": {
      // The slash between what is put there and what stays is one, and never none at all.
      const { length } = matched.text;
      const base = uri.endsWith("/") ? uri.slice(0, -1) : uri;
      return (path) => base + path.slice(length) || "/";
    }
    case "any": // translated as prefix "/", so the slash is what gets replaced
      return (path) => uri + path.slice(1);
    case "exact":
    case "regex":
      return () => uri;
  }
}

/**
 * Every occurrence that does not overlap; `\1` is a group, `\0` the whole.
 * @returns undefined for what does not compile, and for a group that is not there
 */
export function regexRewrite(match: string, replacement: string): PathRewrite | undefined {
  let regex: RE2JS;
  try {
    regex = RE2JS.compile(match);
  } catch {
    return undefined;
  }
  const parts = replacementParts(replacement);
  // RE2's GlobalReplace gives up on a group that does not exist: the path stays.
  if (parts.some((part) => typeof part === "number" && part > regex.groupCount())) return undefined;
  return (path) => {
    const matcher = regex.matcher(path);
    let rewritten = "";
    let end = 0;
    while (matcher.find()) {
      // As RE2's GlobalReplace: nothing is not found right behind something, so `.*` is found once.
      if (matcher.start() === end && matcher.end() === end && end > 0) continue;
      rewritten += path.slice(end, matcher.start());
      for (const part of parts) rewritten += typeof part === "string" ? part : (matcher.group(part) ?? "");
      end = matcher.end();
    }
    return rewritten + path.slice(end);
  };
}

function replacementParts(replacement: string): readonly (string | number)[] {
  const parts: (string | number)[] = [];
  let text = "";
  for (let index = 0; index < replacement.length; index++) {
    const char = replacement[index]!; // in range
    const next = replacement[index + 1];
    if (char !== "\\" || next === undefined) {
      text += char;
      continue;
    }
    index += 1;
    if (next >= "0" && next <= "9") {
      parts.push(text, Number(next));
      text = "";
    } else text += next;
  }
  return [...parts, text];
}
