/** A caller's headers in any of the forms undici takes, as one flat list of lines. */

import type { Undici } from "./undici-module.js";

/**
 * Appends `[name, value, …]` to `lines`, one pair per line; `host` is left out.
 * @returns the value of `host`, when there was one
 * @throws {InvalidArgumentError} undici's, as it throws itself for headers of no known form
 */
export function readHeaders(headers: unknown, lines: string[], { errors }: Undici): string | undefined {
  if (headers === undefined || headers === null) return undefined;
  const reader = new Reader(lines, errors);
  if (Array.isArray(headers)) {
    if (Array.isArray(headers[0])) reader.pairs(headers);
    else reader.flat(headers);
  } else if (typeof headers !== "object") {
    throw new errors.InvalidArgumentError("headers must be an object or an array");
  } else if (isIterable(headers)) reader.pairs(headers);
  else for (const name of Object.keys(headers)) reader.line(name, (headers as Record<string, unknown>)[name]);
  return reader.host;
}

class Reader {
  host: string | undefined = undefined;
  readonly #lines: string[];
  readonly #errors: Undici["errors"];

  constructor(lines: string[], errors: Undici["errors"]) {
    this.#lines = lines;
    this.#errors = errors;
  }

  flat(headers: readonly unknown[]): void {
    if (headers.length % 2 !== 0) throw new this.#errors.InvalidArgumentError("headers array must be even");
    for (let index = 0; index < headers.length; index += 2) this.line(text(headers[index]), headers[index + 1]);
  }

  pairs(headers: Iterable<unknown>): void {
    for (const pair of headers) {
      if (!Array.isArray(pair) || pair.length !== 2) {
        throw new this.#errors.InvalidArgumentError("headers must be in key-value pair format");
      }
      this.line(text(pair[0]), pair[1]);
    }
  }

  line(name: string, value: unknown): void {
    if (value === undefined) return;
    if (Array.isArray(value)) {
      for (const each of value) this.line(name, each ?? "");
      return;
    }
    if (typeof value === "object" && value !== null && !Buffer.isBuffer(value)) {
      throw new this.#errors.InvalidArgumentError(`invalid ${name} header`);
    }
    const line = value === null ? "" : text(value);
    if (name.length === 4 && name.toLowerCase() === "host") this.host = line;
    else this.#lines.push(name, line);
  }
}

function text(value: unknown): string {
  return typeof value === "string" ? value : Buffer.isBuffer(value) ? value.toString("latin1") : `${value}`;
}

function isIterable(value: object): value is Iterable<unknown> {
  return typeof (value as Partial<Iterable<unknown>>)[Symbol.iterator] === "function";
}
