/**
 * The hash of a request, from the parts of it that its rule names: xxHash64, combined as Envoy combines them, so that the
 * same request goes to the same endpoint from a process of ours and from a sidecar.
 */

import type { HashKey } from "@inmesh/model";
import type { XxHash } from "../balance/xx-hash.js";
import type { Call } from "./call.js";

const BITS = 64n;

export interface HashingProcess {
  /** What the sidecar of a caller would see as the source of its calls. */
  readonly address: string;
  /** Unique among its kind. */
  readonly instance: string;
}

export interface HashedRequest {
  /** Undefined when the request has none of the parts. */
  readonly hash: bigint | undefined;
  /** Value of a Set-Cookie line for the caller, so that its next request has the part; undefined for none. */
  readonly cookie: string | undefined;
}

/**
 * @param keys in order
 * @param process that calls
 * @param newCookie makes the value of one
 */
export function hashRequest(
  call: Pick<Call, "header" | "path">,
  keys: readonly HashKey[],
  xxHash: XxHash,
  process: HashingProcess,
  newCookie: () => string,
): HashedRequest {
  let hash: bigint | undefined;
  let cookie: string | undefined;
  for (const key of keys) {
    let part = hashPart(call, key, xxHash, process);
    if (part === undefined && key.kind === "cookie" && key.ttlMs !== undefined) {
      const value = newCookie();
      cookie = setCookie(key, key.ttlMs, value);
      part = xxHash(value);
    }
    // Rotated, so that the same part twice does not cancel itself out.
    if (hash === undefined) hash = part;
    else if (part !== undefined) hash = BigInt.asUintN(64, (hash << 1n) | (hash >> (BITS - 1n))) ^ part;
    if (key.terminal === true && hash !== undefined) break;
  }
  return { hash, cookie };
}

function hashPart(call: Pick<Call, "header" | "path">, key: HashKey, xxHash: XxHash, process: HashingProcess) {
  switch (key.kind) {
    case "header":
      return hashHeader(call.header(key.name), key.rewrite, xxHash);
    case "queryParameter":
      return hashText(queryParameter(call.path, key.name), xxHash);
    case "sourceIp":
      return xxHash(process.address);
    case "process":
      return xxHash(process.instance);
    case "cookie":
      return hashText(cookieOf(call.header("cookie"), key.name) || undefined, xxHash); // an empty one is none
  }
}

function hashText(text: string | undefined, xxHash: XxHash): bigint | undefined {
  return text === undefined ? undefined : xxHash(text);
}

/** Several lines in any order are one value: each seeds the hash of the next. */
function hashHeader(
  value: string | readonly string[] | undefined,
  rewrite: ((value: string) => string) | undefined,
  xxHash: XxHash,
): bigint | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string") return xxHash(rewrite === undefined ? value : rewrite(value));
  const lines = rewrite === undefined ? [...value] : value.map(rewrite);
  return lines.sort().reduce((seed, line) => xxHash(line, seed), 0n);
}

/** First of that name, not decoded. */
function queryParameter(path: string, name: string): string | undefined {
  const start = path.indexOf("?");
  if (start < 0) return undefined;
  for (const pair of path.slice(start + 1).split("&")) {
    const equals = pair.indexOf("=");
    const key = equals < 0 ? pair : pair.slice(0, equals);
    if (key === name) return equals < 0 ? "" : pair.slice(equals + 1);
  }
  return undefined;
}

/** First of that name, without the quotes around its value. */
export function cookieOf(lines: string | readonly string[] | undefined, name: string): string | undefined {
  if (lines === undefined) return undefined;
  for (const line of typeof lines === "string" ? [lines] : lines) {
    for (const pair of line.split(";")) {
      const equals = pair.indexOf("=");
      if (equals < 0 || pair.slice(0, equals).trim() !== name) continue;
      const value = pair.slice(equals + 1).trim();
      return value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
    }
  }
  return undefined;
}

/** Max-Age in whole seconds; none for a cookie that lives as long as the browser runs. */
function setCookie({ name, path, attributes }: HashKey & { readonly kind: "cookie" }, ttlMs: number, value: string) {
  const seconds = Math.floor(ttlMs / 1_000);
  return [
    `${name}="${value}"`,
    ...(seconds > 0 ? [`Max-Age=${seconds}`] : []),
    ...(path === "" ? [] : [`Path=${path}`]),
    ...attributes.map(([attribute, text]) => (text === "" ? attribute : `${attribute}=${text}`)),
    "HttpOnly",
  ].join("; ");
}
