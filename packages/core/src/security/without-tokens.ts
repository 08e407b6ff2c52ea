/** Takes tokens that were verified out of a request, where policy does not forward them: the application needs no bearer. */

import type { Arrival } from "./arrival.js";
import type { TokenPlace } from "./authenticate.js";
import { unescaped } from "./unescaped.js";

export interface WithoutTokens {
  readonly target: string;
  /** Lower-case names of headers. */
  readonly remove: readonly string[];
  /** Put in afterwards, flat. */
  readonly set: readonly string[];
}

/** @param target path with query, in the one spelling */
export function withoutTokens(places: readonly TokenPlace[], target: string, arrival: Arrival): WithoutTokens {
  const names = (kind: TokenPlace["kind"]): readonly string[] =>
    places.flatMap((place) => (place.kind === kind ? [place.name] : []));
  const cookies = names("cookie");
  const kept = cookies.length === 0 ? [] : withoutCookies(arrival.header("cookie"), cookies);
  return {
    target: names("param").reduce(withoutParam, target),
    remove: [...names("header").map((name) => name.toLowerCase()), ...(cookies.length === 0 ? [] : ["cookie"])],
    set: kept.length === 0 ? [] : ["cookie", kept.join("; ")],
  };
}

function withoutCookies(lines: string | readonly string[] = "", names: readonly string[]): readonly string[] {
  const cookies = (typeof lines === "string" ? lines : lines.join("; ")).split(/; */);
  return cookies.filter((cookie) => !names.includes(cookie.split("=", 1)[0]?.trim() ?? ""));
}

function withoutParam(target: string, name: string): string {
  const query = target.indexOf("?");
  if (query < 0) return target;
  const pairs = target.slice(query + 1).split("&");
  const kept = pairs.filter((pair) => unescaped(pair.split("=", 1)[0] ?? "") !== name);
  return kept.length > 0 ? `${target.slice(0, query)}?${kept.join("&")}` : target.slice(0, query);
}
