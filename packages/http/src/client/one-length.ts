/**
 * Older copies of `fetch`, Node 20's own among them, add a Content-Length of theirs to one that the caller gave. Their own
 * undici reads the first number of "3, 3"; ours refuses the line, which RFC 9110 §8.6 has a recipient read as one "3".
 */

import type { RequestOptions } from "./handler.js";

const NAME = "content-length";
const REPEATED = /^(\d+)(?:, \1)+$/;

/** @returns `options` themselves unless that has happened */
export function withOneLength(options: RequestOptions): RequestOptions {
  const { headers, method, maxRedirections } = options;
  if (maxRedirections !== 0 || method === "GET") return options; // `fetch` says 0, and hardly anybody else
  if (typeof headers !== "object" || headers === null) return options;
  for (const [name, value] of Object.entries(headers)) {
    if (name.length !== NAME.length || name.toLowerCase() !== NAME || typeof value !== "string") continue;
    const length = REPEATED.exec(value)?.[1];
    return length === undefined ? options : { ...options, headers: { ...headers, [name]: length } };
  }
  return options;
}
