/** Headers of an answer as undici's parser hands them out: flat, undecoded. */

import type { RawHeaders } from "./handler.js";

/** @param name lower-case @returns the first line of that name */
export function rawHeader(headers: RawHeaders, name: string): string | undefined {
  for (let index = 0; index < headers.length; index += 2) {
    const key = headers[index]!; // flat pairs: both indices are in range
    if (key.length !== name.length) continue;
    if (text(key).toLowerCase() === name) return text(headers[index + 1]!);
  }
  return undefined;
}

/** @param name lower-case @returns the same list when no line has that name */
export function withoutRawHeader(headers: RawHeaders, name: string): RawHeaders {
  if (rawHeader(headers, name) === undefined) return headers;
  // Of a pair its first half decides.
  return headers.filter((_, index) => text(headers[index & ~1]!).toLowerCase() !== name);
}

export function decodeHeaders(headers: RawHeaders): string[] {
  return headers.map(text);
}

export function encodeHeaders(headers: readonly string[]): Buffer[] {
  return headers.map((each) => Buffer.from(each, "latin1"));
}

function text(value: Buffer | string): string {
  return typeof value === "string" ? value : value.toString("latin1");
}
