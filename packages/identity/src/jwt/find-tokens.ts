/** Where tokens stand in a request. policy-semantics §4.3. */

import type { TokenPlace, TokenRequest } from "@inmesh/core";
import type { TokenPlaces } from "@inmesh/model";

export interface FoundToken {
  readonly text: string;
  readonly place: TokenPlace;
}

const NONE: readonly FoundToken[] = [];

/**
 * In the order of headers, parameters, cookies. An empty text is a token, too: a bad one.
 * Differs: every parameter or cookie of a name counts, where Envoy looks at the first and the application may read another.
 */
export function findTokens(places: TokenPlaces, request: TokenRequest): readonly FoundToken[] {
  let found: FoundToken[] | undefined;
  const add = (text: string, kind: TokenPlace["kind"], name: string): void => {
    found ??= [];
    found.push({ text, place: { kind, name } });
  };
  for (const { name, prefix } of places.headers) {
    const value = request.header(name.toLowerCase());
    if (value === undefined) continue;
    // As Envoy: repeated lines are one value, and the token is what follows the first of the prefixes in it.
    const joined = typeof value === "string" ? value : value.join(",");
    const at = prefix === "" ? 0 : joined.indexOf(prefix);
    if (at < 0) continue;
    const text = joined.slice(at + prefix.length).trim();
    if (text !== "" || prefix !== "") add(text, "header", name);
  }
  if (places.params.length > 0) {
    for (const [name, value] of queryPairs(request.path)) if (places.params.includes(name)) add(value, "param", name);
  }
  if (places.cookies.length > 0) {
    for (const [name, value] of cookiePairs(request.header("cookie"))) {
      if (places.cookies.includes(name)) add(value, "cookie", name);
    }
  }
  return found ?? NONE;
}

function queryPairs(path: string): [name: string, value: string][] {
  const at = path.indexOf("?");
  if (at < 0) return [];
  return path
    .slice(at + 1)
    .split("&")
    .map((pair) => {
      const equals = pair.indexOf("=");
      return equals < 0 ? [unescaped(pair), ""] : [unescaped(pair.slice(0, equals)), unescaped(pair.slice(equals + 1))];
    });
}

function cookiePairs(value: string | readonly string[] | undefined): [name: string, value: string][] {
  if (value === undefined) return [];
  const joined = typeof value === "string" ? value : value.join(";");
  return joined.split(";").map((pair) => {
    const equals = pair.indexOf("=");
    if (equals < 0) return ["", ""];
    const text = pair.slice(equals + 1).trim();
    return [pair.slice(0, equals).trim(), /^".*"$/.test(text) ? text.slice(1, -1) : text];
  });
}

function unescaped(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
