/**
 * A lease's facts as the meta of a Consul service, within Consul's limits: 64 pairs, keys of `A-Za-z0-9_-` and at most
 * 128 of them, values of at most 512 bytes.
 *
 * A label whose key and value fit stands under its own key, so that `Service.Meta.version == "v2"` finds it; all others
 * are together in `inmesh-labels`. A text longer than a value may be goes on in `…-1`, `…-2`.
 */

import { MeshError } from "@inmesh/core";
import { record } from "./read.js";

/** Of every key that is ours and no label. */
const OURS = "inmesh-";

const MAX_PAIRS = 64;
const MAX_VALUE_BYTES = 512;
/** Consul keeps keys that start with `consul-` for itself. */
const PLAIN_KEY = /^(?!inmesh-|consul-)[A-Za-z0-9_-]{1,128}$/;

/** Strings by key, whoever wrote them. */
export type Meta = Readonly<Record<string, string>>;

/**
 * @param facts by name without the prefix, of ASCII each; what is empty is left out
 * @throws {MeshError} CONFIG_INVALID when it is more than Consul keeps
 */
export function formatMeta(facts: Readonly<Record<string, string | undefined>>, labels: Meta): Record<string, string> {
  const own = Object.entries(facts).flatMap(([name, text]) => (text ? pieces(name, text) : []));
  const entries = Object.entries(labels).sort(([a], [b]) => Number(b === "version") - Number(a === "version"));
  const plain = entries.filter(([key, value]) => PLAIN_KEY.test(key) && Buffer.byteLength(value) <= MAX_VALUE_BYTES);
  for (let kept = Math.min(plain.length, MAX_PAIRS); kept >= 0; kept--) {
    const shown = new Set(plain.slice(0, kept));
    const hidden = entries.filter((entry) => !shown.has(entry));
    const packed = hidden.length === 0 ? [] : pieces("labels", new URLSearchParams(hidden).toString());
    const pairs = [...own, ...packed, ...shown];
    if (pairs.length <= MAX_PAIRS) return withoutPrototype(pairs);
  }
  throw new MeshError(
    "CONFIG_INVALID",
    `labels, ports and addresses of this process need more than the ${MAX_PAIRS} pairs of ${MAX_VALUE_BYTES} bytes that Consul keeps of an instance: ${entries.length} labels; take some away`,
  );
}

/** Meta of an instance as it came. Without a prototype: keys are whatever others wrote. */
export function readMeta(written: unknown): Meta {
  return withoutPrototype(
    Object.entries(record(written)).filter((pair): pair is [string, string] => typeof pair[1] === "string"),
  );
}

/** As it was given to `formatMeta`; undefined where it is not said. */
export function readFact(meta: Meta, name: string): string | undefined {
  let text = meta[`${OURS}${name}`];
  for (let index = 1; text !== undefined && index < MAX_PAIRS; index++) {
    const more = meta[`${OURS}${name}-${index}`];
    if (more === undefined) break;
    text += more;
  }
  return text;
}

/** Everything in it that is no fact of ours; without a prototype, too. */
export function readLabels(meta: Meta): Record<string, string> {
  const plain = Object.entries(meta).filter(([key]) => !key.startsWith(OURS));
  return withoutPrototype([...plain, ...new URLSearchParams(readFact(meta, "labels") ?? "")]);
}

/** One part of a text whose parts are separated by something else than letters, digits, `.`, `_`, `~` and `-`. */
export function escapePart(text: string): string {
  return text.replace(/[^A-Za-z0-9._~-]+/g, percent);
}

/** Undefined for a text that was never escaped. */
export function unescapeText(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** All but `%`, blanks and what is no ASCII stays as it is: a URL or a version is readable. */
export function escapeText(text: string): string {
  return text.replace(/[^\x21-\x24\x26-\x7e]+/g, percent);
}

/** By bytes: `encodeURIComponent` throws on half a surrogate pair. */
function percent(text: string): string {
  return Array.from(Buffer.from(text), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");
}

function pieces(name: string, text: string): [string, string][] {
  const made: [string, string][] = [[`${OURS}${name}`, text.slice(0, MAX_VALUE_BYTES)]];
  for (let at = MAX_VALUE_BYTES; at < text.length; at += MAX_VALUE_BYTES) {
    made.push([`${OURS}${name}-${made.length}`, text.slice(at, at + MAX_VALUE_BYTES)]);
  }
  return made;
}

function withoutPrototype(pairs: Iterable<readonly [string, string]>): Record<string, string> {
  const made: Record<string, string> = Object.create(null);
  for (const [key, value] of pairs) made[key] = value;
  return made;
}
