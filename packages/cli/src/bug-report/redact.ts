/**
 * Removes secrets from what is collected: by the names of fields, by the shape of values, and by being the value of something
 * that is known to be secret, wherever else it stands. What is removed is said; more than needed may go, less must not.
 */

const REMOVED = "[removed]";
/** Shorter values would be found in ordinary words. */
const LEAST_CHARS = 6;
const LONGEST_NAME = 256;

/** Names of fields, headers and variables whose values are secret; `token` and `key` alone or as a word of the name. */
const SECRET_NAME =
  /^(?:.*[-_.])?(?:(?:proxy-)?authorization|(?:set-)?cookie|password|passwd|passphrase|pwd|secret|secrets|token|tokens|credentials?|auth|session(?:[-_]?id)?|jwks|signature|api[-_]?key|access[-_]?key(?:[-_]?id)?|private[-_]?key|client[-_]?secret|signing[-_]?key|encryption[-_]?key|dsn)(?:[-_.].*)?$/i;
const CAMEL_NAME = /(?:Password|Passphrase|Secret|Token|Credential|Cookie|ApiKey|AccessKey|PrivateKey)s?$|_HEADERS$/;
/** Not secret though called so: names of files, and what says how many. */
const HARMLESS_NAME =
  /(?:dynamic_active_secrets|file|path|dir|count|ttl|ttlMs|ms|length|url|uri|name|audiences?|issuer|from_?headers|fromParams|fromCookies|refused)$/i;

/** Repetitions are bounded, so that hostile text takes linear time. */
const SHAPES: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|$)/g, REMOVED],
  // JSON Web Tokens and what looks like one.
  [/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*)?/g, REMOVED],
  [/\b(Bearer|Basic|Digest|Negotiate|Token)\s+[A-Za-z0-9+/=_.~:-]{6,}/gi, `$1 ${REMOVED}`],
  // User and password of URLs.
  [/([a-z][a-z0-9+.-]{0,20}:\/\/)[^/\s"'@]{1,1024}@/gi, `$1${REMOVED}@`],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, REMOVED],
  [/\b(?:gh[pousr]_|github_pat_|glpat-|xox[abprs]-|sk_live_|sk-|npm_)[A-Za-z0-9_-]{10,}/g, REMOVED],
  // Values of a query's parameters.
  [/(?<=[?&][A-Za-z0-9_.[\]-]{1,64}=)[^&\s"'#]+/g, REMOVED],
  // `x-api-key: abc`, `password = abc`, `header cookie exact "abc"` within a text.
  [
    /\b((?:[a-z0-9]{1,24}[-_]){0,6}(?:authorization|cookie|password|passwd|passphrase|secret|token|api[-_]?key|private[-_]?key|access[-_]?key)(?:[-_][a-z0-9]{1,24}){0,6})("?\s{0,8}(?:[:=]|exact|prefix|regex)\s{0,8})("(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;"']+)/gi,
    `$1$2${REMOVED}`,
  ],
];

export class Redactor {
  readonly #known: readonly string[];
  /** How much was removed. */
  removed = 0;

  /** @param known values that are secret wherever they stand */
  constructor(known: Iterable<string> = []) {
    const long = [...new Set(known)].filter((value) => value.length >= LEAST_CHARS);
    this.#known = long.sort((a, b) => b.length - a.length);
  }

  text(given: string): string {
    let text = given;
    for (const value of this.#known) if (text.includes(value)) text = this.#without(text, value);
    for (const [shape, instead] of SHAPES) {
      const before = text;
      text = text.replace(shape, instead);
      if (text !== before) this.removed += 1;
    }
    return text;
  }

  /** JSON and what YAML becomes; strings in it that are JSON stay strings. */
  data(value: unknown, name = ""): unknown {
    if (value === null || value === undefined || typeof value === "boolean") return value;
    if (isSecretName(name)) return this.#all(value);
    if (typeof value === "number") return value;
    if (typeof value === "string") return this.text(value);
    if (Array.isArray(value)) return isNamedPair(value) ? this.#pair(value) : value.map((each) => this.data(each));
    if (typeof value !== "object") return REMOVED;
    // `{ name: "authorization", value: "…" }`, as environments and Gateway API's headers are written.
    const { name: named, key } = value as { readonly name?: unknown; readonly key?: unknown };
    const isSecret = [named, key].some((each) => typeof each === "string" && isSecretName(each));
    return Object.fromEntries(
      Object.entries(value).map(([field, each]) => {
        const isValue = isSecret && (field === "value" || field === "values" || field === "notValues");
        return [this.text(field), isValue ? this.#all(each) : this.data(each, field)];
      }),
    );
  }

  #pair([name, value]: readonly [string, string]): [string, string] {
    return isSecretName(name) ? [name, this.#all(value) as string] : [name, this.text(value)];
  }

  /** Keeps the form, so that what was written can still be understood. */
  #all(value: unknown): unknown {
    if (value === "" || value === null || typeof value === "boolean" || value === undefined) return value;
    if (Array.isArray(value)) return value.map((each) => this.#all(each));
    if (typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([field, each]) => [field, this.#all(each)]));
    }
    this.removed += 1;
    return REMOVED;
  }

  #without(text: string, value: string): string {
    this.removed += 1;
    return text.replaceAll(value, REMOVED);
  }
}

export function isSecretName(name: string): boolean {
  if (name.length > LONGEST_NAME) return true; // no name that anybody meant
  if (HARMLESS_NAME.test(name)) return false;
  return SECRET_NAME.test(name) || CAMEL_NAME.test(name);
}

/** Secrets that stand in the environment, and in the addresses there. */
export function secretsOf(env: Readonly<Record<string, string | undefined>>): string[] {
  return Object.entries(env).flatMap(([name, value = ""]) => {
    const found = isSecretName(name) ? [value] : [];
    const [, user] = /^[a-z][a-z0-9+.-]*:\/\/([^/\s@]+)@/i.exec(value) ?? [];
    if (user === undefined) return found;
    const parts = user.split(":").filter((_, at, all) => at > 0 || all.length === 1);
    return [...found, user, ...parts, ...parts.map(decoded)];
  });
}

/** Header and value, as lists of pairs hold them. */
function isNamedPair(value: readonly unknown[]): value is readonly [string, string] {
  return value.length === 2 && typeof value[0] === "string" && typeof value[1] === "string" && isSecretName(value[0]);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
