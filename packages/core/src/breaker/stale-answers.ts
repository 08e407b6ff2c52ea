/**
 * The last good answers of clusters whose breaker falls back on them: whole answers to GET, in memory, bounded. Nothing that
 * is for one person alone is given to another: no answer to a request with credentials or cookies is kept, none that sets a
 * cookie or says `private` or `no-store`; and since services have headers of their own for who asks (`x-user`, `x-api-key`), an
 * answer is for requests with the same headers only, but for those that say nothing of it (pitfalls B13).
 */

import type { Call } from "../call/call.js";
import type { Clock } from "../runtime/clock.js";

/** Of one answer, in bytes. */
export const MOST_ANSWER_BYTES = 256 * 1024;
/** Of all of them together, in bytes; those that were kept first leave. */
const MOST_BYTES = 16 * 1024 * 1024;
/** What an answer costs besides its text, roughly, in bytes. */
const OVERHEAD_BYTES = 512;

export interface KeptAnswer {
  readonly status: number;
  /** Flat `[name, value, …]` as the endpoint sent them. */
  readonly headers: readonly string[];
  readonly body: Uint8Array;
  /** Clock ms. */
  readonly at: number;
  /** Of the request headers that are no part of the key those that the answer depends on, and what they were. */
  readonly varies: readonly (readonly [name: string, value: string])[];
  readonly bytes: number;
}

export class StaleAnswers {
  readonly #clock: Clock;
  /** By cluster, URL and headers, in the order in which they were kept. */
  readonly #kept = new Map<string, KeptAnswer>();
  #bytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#kept.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @param body whole, not more than `MOST_ANSWER_BYTES`; not changed afterwards */
  keep(call: Call, status: number, headers: readonly string[], body: Uint8Array): void {
    const varies = variesOf(call, headers);
    if (varies === undefined) return;
    const key = keyOf(call);
    this.#drop(key);
    const text = headers.reduce((sum, each) => sum + each.length, key.length);
    const bytes = body.byteLength + text + OVERHEAD_BYTES;
    this.#kept.set(key, { status, headers, body, at: this.#clock.now(), varies, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= MOST_BYTES) break;
      this.#drop(oldest);
    }
  }

  /** @returns undefined where there is none that this request may get */
  find(call: Call, maxAgeMs: number): KeptAnswer | undefined {
    if (!mayShare(call)) return undefined;
    const found = this.#kept.get(keyOf(call));
    if (found === undefined || this.#clock.now() - found.at > maxAgeMs) return undefined;
    return found.varies.every(([name, value]) => text(call, name) === value) ? found : undefined;
  }

  #drop(key: string): void {
    const found = this.#kept.get(key);
    if (found === undefined) return;
    this.#kept.delete(key);
    this.#bytes -= found.bytes;
  }
}

/** Whether an answer that begins like this may be kept for others. @param header the first line of that name */
export function isKeepable(call: Call, status: number, header: (name: string) => string | undefined): boolean {
  if (status !== 200 || !mayShare(call)) return false;
  if (header("set-cookie") !== undefined || header("vary") === "*") return false;
  if (Number(header("content-length") ?? 0) > MOST_ANSWER_BYTES) return false;
  return !PRIVATE.test(header("cache-control") ?? "");
}

/** RFC 9111 §5.2.2. */
const PRIVATE = /\b(?:private|no-store)\b/i;

/** Nothing in the request says who asks, nor asks for a part. */
function mayShare(call: Call): boolean {
  return call.method === "GET" && PERSONAL.every((name) => call.header(name) === undefined);
}

const PERSONAL = ["authorization", "proxy-authorization", "cookie", "range"];

/** @returns undefined when no other request is like this one, or a further line says that the answer is not for others */
function variesOf(call: Call, headers: readonly string[]): KeptAnswer["varies"] | undefined {
  const names = new Set<string>();
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index]!.toLowerCase(); // flat pairs
    if (name === "cache-control" && PRIVATE.test(headers[index + 1]!)) return undefined;
    if (name !== "vary") continue;
    for (const each of headers[index + 1]!.split(",")) names.add(each.trim().toLowerCase());
  }
  if (names.has("*")) return undefined;
  return [...names].filter(saysNothing).map((name) => [name, text(call, name)]);
}

function text(call: Call, name: string): string {
  return String(call.header(name) ?? "");
}

function keyOf({ cluster, authority, path, headers }: Call): string {
  const lines: string[] = [];
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index]!.toLowerCase(); // flat pairs: both indices are in range
    if (!saysNothing(name)) lines.push(`${name}: ${headers[index + 1]}`);
  }
  return [`${cluster?.config.name} ${authority}${path}`, ...lines.sort()].join("\n");
}

/** Of tracing, the client's make and the connection: no service answers by them, unless it says so with `vary`. */
function saysNothing(name: string): boolean {
  return NEUTRAL.has(name) || NEUTRAL_FAMILIES.test(name);
}

const NEUTRAL = new Set([
  ...["traceparent", "tracestate", "baggage", "b3", "sentry-trace", "uber-trace-id", "x-amzn-trace-id"],
  ...["x-request-id", "x-correlation-id", "user-agent", "connection", "content-length", "date"],
]);
const NEUTRAL_FAMILIES = /^x-(?:b3|datadog|envoy|inmesh)-/;
