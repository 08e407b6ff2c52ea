/** A caller's headers in any of the forms undici takes, as one flat list of lines. */

import type { Undici } from "./undici-module.js";

/**
 * Appends `[name, value, …]` to `lines`, one pair per line; `host` is left out.
 * @returns the value of `host`, when there was one
 * @throws {InvalidArgumentError} undici's, as it throws itself for headers of no known form
 */
export function readHeaders(headers: unknown, lines: string[], undici: Pick<Undici, "errors">): string | undefined {
  if (headers === undefined || headers === null) return undefined;
  let host: string | undefined;
  if (Array.isArray(headers)) {
    if (Array.isArray(headers[0])) return readPairs(headers, lines, undici.errors);
    if (headers.length % 2 !== 0) throw new undici.errors.InvalidArgumentError("headers array must be even");
    for (let index = 0; index < headers.length; index += 2) {
      host = readLine(text(headers[index]), headers[index + 1], lines, undici.errors) ?? host;
    }
    return host;
  }
  if (typeof headers !== "object")
    throw new undici.errors.InvalidArgumentError("headers must be an object or an array");
  if (isIterable(headers)) return readPairs(headers, lines, undici.errors);
  const record = headers as Record<string, unknown>;
  for (const name of Object.keys(record)) {
    const value = record[name];
    // Nearly every header there is; the rest goes through all the checks.
    if (typeof value === "string" && name.length !== HOST_LENGTH) lines.push(name, value);
    else host = readLine(name, value, lines, undici.errors) ?? host;
  }
  return host;
}

const HOST_LENGTH = "host".length;

function readPairs(headers: Iterable<unknown>, lines: string[], errors: Undici["errors"]): string | undefined {
  let host: string | undefined;
  for (const pair of headers) {
    if (!Array.isArray(pair) || pair.length !== 2) {
      throw new errors.InvalidArgumentError("headers must be in key-value pair format");
    }
    host = readLine(text(pair[0]), pair[1], lines, errors) ?? host;
  }
  return host;
}

/** @returns the value if it is that of `host` */
function readLine(name: string, value: unknown, lines: string[], errors: Undici["errors"]): string | undefined {
  if (value === undefined) return undefined;
  if (Array.isArray(value)) {
    let host: string | undefined;
    for (const each of value) host = readLine(name, each ?? "", lines, errors) ?? host;
    return host;
  }
  if (typeof value === "object" && value !== null && !Buffer.isBuffer(value)) {
    throw new errors.InvalidArgumentError(`invalid ${name} header`);
  }
  const line = value === null ? "" : text(value);
  if (name.length === HOST_LENGTH && name.toLowerCase() === "host") return line;
  lines.push(name, line);
  return undefined;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : Buffer.isBuffer(value) ? value.toString("latin1") : `${value}`;
}

/** By itself: code that gives every object an iterator must not make records of headers vanish. */
function isIterable(value: object): value is Iterable<unknown> {
  const { [Symbol.iterator]: iterator } = value as Partial<Iterable<unknown>>;
  return (
    typeof iterator === "function" && iterator !== (Object.prototype as Partial<Iterable<unknown>>)[Symbol.iterator]
  );
}
