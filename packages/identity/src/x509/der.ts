/** ASN.1 in DER by node-forge, with bytes instead of its binary strings. Only what certificates are made of. */

import { messageOf } from "@inmesh/core";
import type { asn1 as forge } from "node-forge";
import asn1 from "node-forge/lib/asn1.js";
import { SvidProblem } from "./svid-problem.js";

/** node-forge's own, said here since its types are not among what an installation brings. */
export interface Der {
  tagClass: number;
  type: number;
  constructed: boolean;
  composed: boolean;
  value: string | Der[];
}

/** Tag numbers of X.680. */
export const TAG = {
  boolean: 1,
  integer: 2,
  bitString: 3,
  octetString: 4,
  null: 5,
  oid: 6,
  utf8String: 12,
  sequence: 16,
  set: 17,
  printableString: 19,
  ia5String: 22,
  utcTime: 23,
  generalizedTime: 24,
} as const;

/** Classes of X.690 §8.1.2.2. */
const UNIVERSAL = 0;
const CONTEXT = 0x80;
/** A certificate nests 9 deep. */
const MAX_DEPTH = 24;

const node = (tagClass: number, tag: number, constructed: boolean, value: string | Der[]): Der =>
  asn1.create(tagClass as forge.Class, tag as forge.Type, constructed, value);
const binary = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

export const sequence = (...items: readonly Der[]): Der => node(UNIVERSAL, TAG.sequence, true, [...items]);
export const set = (...items: readonly Der[]): Der => node(UNIVERSAL, TAG.set, true, [...items]);
export const explicit = (tag: number, ...items: readonly Der[]): Der => node(CONTEXT, tag, true, [...items]);
/** `[tag] IMPLICIT` of a string type. */
export const implicit = (tag: number, bytes: Uint8Array): Der => node(CONTEXT, tag, false, binary(bytes));
export const oid = (dotted: string): Der => node(UNIVERSAL, TAG.oid, false, asn1.oidToDer(dotted).getBytes());
export const octetString = (bytes: Uint8Array): Der => node(UNIVERSAL, TAG.octetString, false, binary(bytes));
export const trueValue = (): Der => node(UNIVERSAL, TAG.boolean, false, "\u00ff");
export const nullValue = (): Der => node(UNIVERSAL, TAG.null, false, "");

/** Unsigned, big endian; of any length. */
export function integer(bytes: Uint8Array): Der {
  let from = 0;
  while (from < bytes.length - 1 && bytes[from] === 0) from += 1;
  const digits = binary(bytes.subarray(from));
  return node(UNIVERSAL, TAG.integer, false, (bytes[from] ?? 0) >= 0x80 ? `\0${digits}` : digits);
}

/** @param unused bits of the last byte that do not count */
export function bitString(bytes: Uint8Array, unused = 0): Der {
  return node(UNIVERSAL, TAG.bitString, false, String.fromCharCode(unused) + binary(bytes));
}

export function text(tag: typeof TAG.utf8String | typeof TAG.printableString, value: string): Der {
  return node(UNIVERSAL, tag, false, Buffer.from(value, "utf8").toString("latin1"));
}

/** RFC 5280 §4.1.2.5: two digits of the year until 2049. @param wallTime ms since 1970; whole seconds count */
export function time(wallTime: number): Der {
  const digits = new Date(wallTime).toISOString().replace(/\.\d+|[-:T]/g, "");
  const late = wallTime >= Date.UTC(2050, 0);
  return node(UNIVERSAL, late ? TAG.generalizedTime : TAG.utcTime, false, late ? digits : digits.slice(2));
}

export function encode(value: Der): Buffer {
  return Buffer.from(asn1.toDer(value).getBytes(), "latin1");
}

/**
 * DER only: what is written in another way than DER would (BER's lengths, say) is refused, so that no two readers of
 * it can differ. @throws {SvidProblem}
 */
export function decode(bytes: Uint8Array, what: string): Der {
  let value: Der;
  try {
    value = asn1.fromDer(binary(bytes), { strict: true, decodeBitStrings: false, maxDepth: MAX_DEPTH });
  } catch (error) {
    throw new SvidProblem(`${what} is not DER: ${messageOf(error)}`);
  }
  if (!encode(value).equals(bytes)) throw new SvidProblem(`${what} is not DER: it is not in the one canonical form`);
  return value;
}

/** @returns the items of a constructed value @throws {SvidProblem} */
export function itemsOf(value: Der | undefined, tag: number, what: string, context = false): readonly Der[] {
  if (!isTagged(value, tag, context) || !Array.isArray(value.value))
    throw new SvidProblem(`${what} is not well formed`);
  return value.value;
}

/** @returns the content of a primitive value @throws {SvidProblem} */
export function bytesOf(value: Der | undefined, tag: number, what: string, context = false): Buffer {
  if (!isTagged(value, tag, context) || value.constructed || typeof value.value !== "string")
    throw new SvidProblem(`${what} is not well formed`);
  return Buffer.from(value.value, "latin1");
}

export function isTagged(value: Der | undefined, tag: number, context = false): value is Der {
  return (
    value !== undefined && value.type === (tag as forge.Type) && value.tagClass === (context ? CONTEXT : UNIVERSAL)
  );
}

/** @throws {SvidProblem} */
export function oidOf(value: Der | undefined, what: string): string {
  const bytes = bytesOf(value, TAG.oid, what);
  // Each number of it ends in a byte below 0x80, and none begins with 0x80 (X.690 §8.19.2).
  const ends = bytes.length > 0 && (bytes.at(-1) ?? 0x80) < 0x80;
  if (!ends || bytes.some((byte, at) => byte === 0x80 && (at === 0 || (bytes[at - 1] ?? 0) < 0x80)))
    throw new SvidProblem(`${what} is not well formed`);
  return asn1.derToOid(bytes.toString("latin1"));
}

/** Bits of a named bit list, the first one first. @throws {SvidProblem} */
export function bitsOf(value: Der | undefined, what: string): readonly boolean[] {
  const [unused = 8, ...bytes] = bytesOf(value, TAG.bitString, what);
  if (unused > 7 || (bytes.length === 0 && unused > 0)) throw new SvidProblem(`${what} is not well formed`);
  // DER has them at zero (X.690 §11.2.1). OpenSSL passes over them, so that what they seem to allow is no use of the key.
  if (((bytes.at(-1) ?? 0) & ((1 << unused) - 1)) !== 0) throw new SvidProblem(`${what} has bits set beyond its end`);
  return bytes.flatMap((byte) => Array.from({ length: 8 }, (_, bit) => (byte & (0x80 >> bit)) !== 0));
}

/** Of a bit string that holds whole bytes. @throws {SvidProblem} */
export function bitStringBytes(value: Der | undefined, what: string): Buffer {
  const bytes = bytesOf(value, TAG.bitString, what);
  if (bytes[0] !== 0) throw new SvidProblem(`${what} is not well formed`);
  return bytes.subarray(1);
}

/** @returns ms since 1970 @throws {SvidProblem} */
export function timeOf(value: Der | undefined, what: string): number {
  const short = isTagged(value, TAG.utcTime);
  const digits = bytesOf(value, short ? TAG.utcTime : TAG.generalizedTime, what).toString("latin1");
  if (!(short ? /^\d{12}Z$/ : /^\d{14}Z$/).test(digits)) throw new SvidProblem(`${what} is not well formed`);
  const century = short ? (Number(digits.slice(0, 2)) < 50 ? "20" : "19") : "";
  const [year = 0, month = 0, ...rest] = `${century}${digits}`.match(/^\d{4}|\d{2}(?=(\d{2})*Z)/g)?.map(Number) ?? [];
  const [day = 0, hour = 0, minute = 0, second = 0] = rest;
  const wallTime = Date.UTC(year, month - 1, day, hour, minute, second);
  // What JavaScript carries over (the 31st of June) or adds (the year 26) is no date.
  const inRange = year >= 1950 && month >= 1 && month <= 12 && day >= 1 && hour <= 23 && minute <= 59 && second <= 59;
  if (!inRange || new Date(wallTime).getUTCDate() !== day) throw new SvidProblem(`${what} is not a date`);
  return wallTime;
}
