/** One entry of `http[].match`: conditions that hold together. policy-semantics §1.3. */

import type { StringMatch } from "../kind/field.js";
import type { HttpMatchSpec } from "../kind/virtual-service.js";
import type { Match, MatchRequest } from "../snapshot/route.js";
import { compilePathTest, describePath, matchesPath, type PathTest, pathEnd } from "./path-test.js";
import { compileStringMatch, describeStringMatch } from "./string-matcher.js";

interface Condition {
  holds(request: MatchRequest): boolean;
  readonly text: string;
  /** What the request has instead, for `whyNot`. */
  found(request: MatchRequest): string;
}

export type HeaderValue = string | readonly string[] | undefined;

/** Conditions on the client and the port are decided at compile time and are not in here. */
export class RequestMatch implements Match {
  readonly text: string;
  /** Looked up in the index of a virtual host; `matchesRest` is everything else. */
  readonly path: PathTest;
  readonly #pathText: string;
  readonly #rest: readonly Condition[];

  /** @param path in place of the spec's uri, with its description */
  constructor(spec: HttpMatchSpec, path?: PathTest, pathText = "") {
    const ignoreCase = spec.ignoreUriCase ?? false;
    this.path = path ?? compilePathTest(spec.uri, ignoreCase);
    this.#pathText = spec.uri === undefined ? pathText : describePath(spec.uri, ignoreCase);
    this.#rest = conditions(spec);
    const texts = [this.#pathText, ...this.#rest.map(({ text }) => text)].filter((text) => text !== "");
    this.text = texts.length === 0 ? "everything" : texts.join(", ");
  }

  matches(request: MatchRequest): boolean {
    return matchesPath(this.path, request.path) && this.matchesRest(request);
  }

  matchesRest(request: MatchRequest): boolean {
    const rest = this.#rest;
    for (let index = 0; index < rest.length; index++) if (!rest[index]!.holds(request)) return false; // in range
    return true;
  }

  whyNot(request: MatchRequest): string | undefined {
    if (!matchesPath(this.path, request.path)) {
      return `path is ${JSON.stringify(request.path.slice(0, pathEnd(request.path)))}, wanted: ${this.#pathText}`;
    }
    const failed = this.#rest.find((condition) => !condition.holds(request));
    return failed && `${failed.found(request)}, wanted: ${failed.text}`;
  }
}

function conditions(spec: HttpMatchSpec): readonly Condition[] {
  const list: Condition[] = [];
  const { method, scheme, authority, headers = {}, withoutHeaders = {}, queryParams = {} } = spec;
  if (method !== undefined) list.push(fieldCondition("method", method, (request) => request.method));
  if (scheme !== undefined) list.push(fieldCondition("scheme", scheme, (request) => request.scheme));
  if (authority !== undefined) list.push(fieldCondition("authority", authority, (request) => request.authority));
  for (const [name, match] of Object.entries(headers)) list.push(headerCondition(name.toLowerCase(), match));
  for (const [name, match] of Object.entries(withoutHeaders)) list.push(absenceCondition(name.toLowerCase(), match));
  for (const [name, match] of Object.entries(queryParams)) list.push(queryCondition(name, match));
  return list;
}

function fieldCondition(name: string, match: StringMatch, read: (request: MatchRequest) => string): Condition {
  const test = compileStringMatch(match);
  return {
    holds: (request) => test === undefined || test(read(request)),
    text: `${name} ${describeStringMatch(match)}`,
    found: (request) => `${name} is ${JSON.stringify(read(request))}`,
  };
}

/** Each line of a repeated header is judged by itself: one that matches is enough (policy-semantics §10.1). */
function headerCondition(name: string, match: StringMatch): Condition {
  const test = compileStringMatch(match);
  return {
    holds(request) {
      const value = headerValue(request, name);
      return value !== undefined && (test === undefined || anyValue(value, test));
    },
    text: `header ${name} ${describeStringMatch(match)}`,
    found: (request) => describeHeader(name, headerValue(request, name)),
  };
}

/** Presence only: the header must be missing. Else: no value matches, where a missing header counts as an empty one. */
function absenceCondition(name: string, match: StringMatch | null): Condition {
  const test = compileStringMatch(match);
  return {
    holds(request) {
      const value = headerValue(request, name);
      return test === undefined ? value === undefined : !anyValue(value ?? "", test);
    },
    text: test === undefined ? `no header ${name}` : `header ${name} not ${describeStringMatch(match)}`,
    found: (request) => describeHeader(name, headerValue(request, name)),
  };
}

/** The first value of the name counts, undecoded; `?key` has the empty one (policy-semantics §10.5). */
function queryCondition(name: string, match: StringMatch): Condition {
  const test = compileStringMatch(match);
  return {
    holds(request) {
      const value = queryValue(request.path, name);
      return value !== undefined && (test === undefined || test(value));
    },
    text: `query ${name} ${describeStringMatch(match)}`,
    found(request) {
      const value = queryValue(request.path, name);
      return value === undefined ? `query ${name} is missing` : `query ${name} is ${JSON.stringify(value)}`;
    },
  };
}

export function queryValue(path: string, name: string): string | undefined {
  let start = path.indexOf("?") + 1;
  if (start === 0) return undefined;
  while (start <= path.length) {
    let end = path.indexOf("&", start);
    if (end < 0) end = path.length;
    if (path.startsWith(name, start)) {
      const after = start + name.length;
      if (after === end) return "";
      if (after < end && path[after] === "=") return path.slice(after + 1, end);
    }
    start = end + 1;
  }
  return undefined;
}

/** Pseudo headers are keys like any other; `host` is the authority. */
export function headerValue(request: MatchRequest, name: string): HeaderValue {
  switch (name) {
    case ":authority":
    case "host":
      return request.authority;
    case ":method":
      return request.method;
    case ":path":
      return request.path;
    case ":scheme":
      return request.scheme;
    default:
      return request.header(name);
  }
}

function anyValue(value: string | readonly string[], test: (value: string) => boolean): boolean {
  return typeof value === "string" ? test(value) : value.some(test);
}

function describeHeader(name: string, value: HeaderValue): string {
  if (value === undefined) return `header ${name} is missing`;
  return `header ${name} is ${typeof value === "string" ? JSON.stringify(value) : value.map((one) => JSON.stringify(one)).join(" and ")}`;
}
