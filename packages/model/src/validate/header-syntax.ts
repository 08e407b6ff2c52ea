/** Names and values of headers in policy. policy-semantics §1.3 and §1.6. */

import { quote } from "../problem-at.js";

/** RFC 9110 token. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

const PSEUDO_HEADERS: ReadonlySet<string> = new Set([":method", ":scheme", ":authority", ":path", ":status"]);

const CLAIM_PREFIX = "@request.auth.claims";

export function isHeaderName(name: string): boolean {
  return TOKEN.test(name);
}

/** `@request.auth.claims.a.b` or `@request.auth.claims[a][b]`. */
export function isClaimName(name: string): boolean {
  if (!name.toLowerCase().startsWith(CLAIM_PREFIX)) return false;
  const rest = name.slice(CLAIM_PREFIX.length);
  return rest.length > 1 && (rest.startsWith(".") || (rest.length > 2 && rest.startsWith("[") && rest.endsWith("]")));
}

/** Name of a header to match. */
export function matchNameFault(name: string): string | undefined {
  if (name === "") return "the header has no name. Name it.";
  if (isClaimName(name) || PSEUDO_HEADERS.has(name) || isHeaderName(name)) return undefined;
  return `${quote(name)} is no header name. Correct it.`;
}

export function isAuthority(name: string): boolean {
  return /^(?::authority|host)$/i.test(name);
}

/** Name of a header to set, add or remove. @param rewritesHost `host` in request set/add rewrites the authority */
export function operationNameFault(name: string, rewritesHost: boolean): string | undefined {
  if (name === "") return "the header has no name. Name it.";
  if (rewritesHost && isAuthority(name)) return undefined;
  if (name.startsWith(":")) return `${quote(name)} is a pseudo header and cannot be changed here. Remove it.`;
  if (/^host$/i.test(name)) return "the Host header cannot be changed here. Use rewrite.authority.";
  return undefined;
}

/** Text with Envoy's operators: `%REQ(x-user)%`; `%%` is a percent sign. */
export function headerValueFault(value: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(value))
    return `header value ${quote(value)} has a control character. Remove it.`;
  if (hasClosedOperators(value)) return undefined;
  return `header value ${quote(value)} has a "%" that opens no operator. Write %% for a percent sign, or close the %…%.`;
}

/** Steps through the value as Envoy's header parser does. */
function hasClosedOperators(value: string): boolean {
  let index = 0;
  while (index < value.length) {
    if (value[index] !== "%") index += 1;
    else if (value[index + 1] === "%") index += 2;
    else {
      const end = operatorEnd(value, index + 1);
      if (end === undefined) return false;
      index = end;
    }
  }
  return true;
}

/** Index after the `%` that closes the operator whose name begins at `start`. */
function operatorEnd(value: string, start: number): number | undefined {
  const nameEnd = /[%(]/g;
  nameEnd.lastIndex = start;
  const found = nameEnd.exec(value);
  if (found === null || start >= value.length) return undefined;
  if (found[0] === "%") return found.index + 1;
  const argumentsEnd = endOfArguments(value, found.index + 1);
  if (argumentsEnd === undefined) return undefined;
  let index = argumentsEnd;
  while (value[index] === " ") index += 1;
  return value[index] === "%" ? index + 1 : undefined;
}

/**
 * Index after the `)` of arguments that begin at `start`: free text, or a list of JSON strings in brackets.
 * Envoy ends the arguments at a `)` inside a string too, and takes a quote in free text for the end of a string.
 */
function endOfArguments(value: string, start: number): number | undefined {
  let index = skipSpaces(value, start);
  if (value[index] === "[") {
    index = skipSpaces(value, index + 1);
    if (value[index] !== '"') return undefined;
    index += 1;
  }
  for (; index < value.length; index++) {
    const char = value[index];
    if (char === ")") return index + 1;
    if (char === "\\") index += 1;
    else if (char === '"') {
      index = skipSpaces(value, index + 1);
      if (value[index] === "]") {
        index = skipSpaces(value, index + 1);
        return value[index] === ")" ? index + 1 : undefined;
      }
      if (value[index] !== ",") return undefined;
      index = skipSpaces(value, index + 1);
      if (value[index] !== '"') return undefined;
    }
  }
  return undefined;
}

function skipSpaces(value: string, start: number): number {
  let index = start;
  while (value[index] === " ") index += 1;
  return index;
}
