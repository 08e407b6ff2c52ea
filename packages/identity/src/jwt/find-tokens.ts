/** Where tokens stand in a request. policy-semantics §4.3. */

import type { TokenPlace, TokenRequest } from "@inmesh/core";
import { unescaped } from "@inmesh/core/internal";
import type { TokenPlaces } from "@inmesh/model";

export interface FoundToken {
  readonly text: string;
  readonly place: TokenPlace;
}

const NONE: readonly FoundToken[] = [];

/** The places of a rule, ready for requests: rules often share them. */
export class TokenFinder {
  readonly #headers: readonly { readonly key: string; readonly prefix: string; readonly place: TokenPlace }[];
  readonly #params: ReadonlyMap<string, TokenPlace>;
  readonly #cookies: ReadonlyMap<string, TokenPlace>;

  constructor({ headers, params, cookies }: TokenPlaces) {
    const named = (kind: TokenPlace["kind"], names: readonly string[]) =>
      new Map(names.map((name) => [name, { kind, name }]));
    this.#headers = headers.map(({ name, prefix }) => {
      return { key: name.toLowerCase(), prefix, place: { kind: "header", name } };
    });
    this.#params = named("param", params);
    this.#cookies = named("cookie", cookies);
  }

  /**
   * In the order of headers, parameters, cookies. An empty text is a token, too: a bad one.
   * Differs: every parameter or cookie of a name counts, where Envoy looks at the first and the application may read another.
   */
  find(request: TokenRequest): readonly FoundToken[] {
    let found = NONE;
    for (const { key, prefix, place } of this.#headers) {
      const value = request.header(key);
      if (value === undefined) continue;
      // As Envoy: repeated lines are one value, and the token is what follows the first of the prefixes in it.
      const joined = typeof value === "string" ? value : value.join(",");
      const at = prefix === "" ? 0 : joined.indexOf(prefix);
      if (at < 0) continue;
      const text = joined.slice(at + prefix.length).trim();
      if (text !== "" || prefix !== "") found = [...found, { text, place }];
    }
    if (this.#params.size > 0 && request.path.includes("?")) {
      for (const [name, text] of queryPairs(request.path)) {
        const place = this.#params.get(name);
        if (place !== undefined) found = [...found, { text, place }];
      }
    }
    if (this.#cookies.size > 0) {
      for (const [name, text] of cookiePairs(request.header("cookie"))) {
        const place = this.#cookies.get(name);
        if (place !== undefined) found = [...found, { text, place }];
      }
    }
    return found;
  }
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
