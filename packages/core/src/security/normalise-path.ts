/**
 * A request's path in one spelling, so that what rules are matched against is what the application sees: MeshConfig
 * `pathNormalization`, as Envoy 1.40 does it (policy-semantics §4.8, §10). Nearly every path is in that spelling already,
 * and finding that out is one look at each character.
 */

import type { PathNormalization } from "@inmesh/model";

const SLASH = 47;
const DOT = 46;
const PERCENT = 37;
const QUERY = 63;
const FRAGMENT = 35;

/** By ASCII code: 1 where a path with the character has to be looked at closely. */
const SUSPECT = new Uint8Array(128);
/** Written as an escape, as a browser would. */
const ESCAPED = new Map([...'"<>^`{|}'].map((char) => [char, `%${char.charCodeAt(0).toString(16).toUpperCase()}`]));
for (let code = 0; code <= 32; code++) SUSPECT[code] = 1;
for (const char of ["\\", "%", "#", "\x7f", ...ESCAPED.keys()]) SUSPECT[char.charCodeAt(0)] = 1;

/** Parameters do not make a name of it: `..;x` is `..`. As Envoy does it, before backslashes are slashes, and not for escapes. */
const DOTS_WITH_PARAMETERS = /(\/\.\.?);[^/]*/g;

/**
 * @param path beginning with a slash, with query
 * @returns undefined: no application may see it (400): bytes that are not ASCII, controls, `%00`
 */
export function normalisePath(path: string, mode: PathNormalization): string | undefined {
  let before = 0;
  let index = 0;
  for (; index < path.length; index++) {
    const code = path.charCodeAt(index);
    if (code === QUERY) break;
    if (code > 127 || SUSPECT[code] === 1) return closely(path, mode);
    if (before === SLASH && (code === SLASH || code === DOT)) return closely(path, mode);
    before = code;
  }
  for (; index < path.length; index++) {
    const code = path.charCodeAt(index);
    if (code === FRAGMENT || code <= 32 || code >= 127) return closely(path, mode);
  }
  return path;
}

function closely(whole: string, mode: PathNormalization): string | undefined {
  for (let index = 0; index < whole.length; index++) {
    const code = whole.charCodeAt(index);
    if (code <= 32 || code >= 127) return undefined;
  }
  const fragment = whole.indexOf("#");
  const sent = fragment < 0 ? whole : whole.slice(0, fragment);
  const query = sent.indexOf("?");
  const path = query < 0 ? sent : sent.slice(0, query);
  const rest = query < 0 ? "" : sent.slice(query);
  if (mode === "NONE") return path + rest;
  const slashed = (
    mode === "DECODE_AND_MERGE_SLASHES" ? path.replace(/%2f/gi, "/").replace(/%5c/gi, "\\") : path
  ).replace(DOTS_WITH_PARAMETERS, "$1");
  if (slashed.includes("%00")) return undefined;
  const canonical = canonicalPath(slashed);
  if (canonical === undefined) return undefined;
  return (mode === "BASE" ? canonical : mergeSlashes(canonical)) + rest;
}

/** RFC 3986 §5.2.4 and §6.2.2.2; backslashes are slashes. */
function canonicalPath(path: string): string | undefined {
  const segments = path.replaceAll("\\", "/").split("/");
  const kept: string[] = [];
  for (let index = 1; index < segments.length; index++) {
    const segment = segments[index]!; // in range
    const dots = dotsOf(segment);
    const last = index === segments.length - 1;
    if (dots === 2) kept.pop();
    if (dots > 0) {
      if (last) kept.push("");
      continue;
    }
    const decoded = decodeUnreserved(segment);
    if (decoded === undefined) return undefined;
    kept.push(decoded);
  }
  return `/${kept.join("/")}`;
}

/** 1 for `.`, 2 for `..`, 0 for a segment that is neither. */
function dotsOf(segment: string): number {
  const name = segment.replace(/%2e/gi, ".");
  return name === "." ? 1 : name === ".." ? 2 : 0;
}

/**
 * Once, and only what means nothing to anybody: letters, digits, `-._~`.
 * @returns undefined where that would make a new escape of a broken one: `%%32f` is not to become `%2f`. Differs: Envoy lets
 * it pass, and what decodes it again sees a slash that no rule saw
 */
function decodeUnreserved(segment: string): string | undefined {
  let text = "";
  for (let index = 0; index < segment.length; index++) {
    const char = segment[index]!; // in range
    if (segment.charCodeAt(index) !== PERCENT) {
      text += ESCAPED.get(char) ?? char;
      continue;
    }
    const digits = segment.slice(index + 1, index + 3);
    if (!/^[0-9a-f]{2}$/i.test(digits)) {
      text += char;
      continue;
    }
    const decoded = String.fromCharCode(Number.parseInt(digits, 16));
    if (/[A-Za-z0-9._~-]/.test(decoded)) {
      text += decoded;
      if (/%[0-9a-f]?[0-9a-f]$/i.test(text)) return undefined;
    } else text += `%${digits}`;
    index += 2;
  }
  return text;
}

/** Quirk kept from Envoy: a path of slashes alone keeps two. */
function mergeSlashes(path: string): string {
  return /^\/\/+$/.test(path) ? "//" : path.replace(/\/{2,}/g, "/");
}
