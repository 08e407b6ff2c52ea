/**
 * Resources of one type are alike but for names and numbers: what one has in common with others before it is written as where
 * it stands there. Rejected: zlib with a dictionary, which takes five times as long and more for pieces so small (20 to 60 us for
 * half a KB); and a prefix and a suffix in common, since names stand in the middle, too.
 */

import { WireReader } from "../../proto/wire-reader.js";
import { WireWriter } from "../../proto/wire-writer.js";

/** What pieces refer to. Only ever added to; stays while any of them is held. */
export interface Dictionary {
  bytes: Uint8Array;
  length: number;
}

/** Larger pieces take longer than a step of reading should. */
export const LARGEST_PACKED = 8_192;

const [FIRST_BYTES, MOST_BYTES] = [1_024, 16_384];
/** Packed to that part or less, a piece is like those in the dictionary; others come into it, where they are not kept twice. */
const ALIKE = 4;
/** As good as it gets: a name, and what stands around it. */
const FEW_BYTES = 32;
/** What is shorter is no shorter as a reference. */
const SHORTEST = 5;
const [HASH_BITS, SEEN_BITS] = [11, 9];
/** Kinds of what a packed piece consists of: bytes of its own, bytes of the dictionary, and bytes that came before in itself. */
const [OWN, OF_DICTIONARY, AGAIN] = [0, 1, 2];

export class Packer {
  /** Another one once it is full. */
  dictionary: Dictionary = { bytes: new Uint8Array(0), length: 0 };
  /** Where in the dictionary four bytes of that hash stand, plus one. */
  readonly #known = new Uint16Array(1 << HASH_BITS);

  /** @param bytes at most LARGEST_PACKED. @returns to be unpacked with the dictionary that there is afterwards */
  pack(bytes: Uint8Array): Uint8Array {
    const packed = this.#written(bytes);
    if (packed.length <= Math.max(FEW_BYTES, bytes.length / ALIKE)) return packed;
    this.#learn(bytes);
    return this.#written(bytes);
  }

  #written(bytes: Uint8Array): Uint8Array {
    const known = this.#known;
    // The same of the piece itself, which is short.
    const seen = new Uint16Array(1 << SEEN_BITS);
    const { bytes: source, length: end } = this.dictionary;
    const writer = new WireWriter();
    let [written, at] = [0, 0];
    while (at + SHORTEST <= bytes.length) {
      const hash = hashAt(bytes, at);
      const [there, here] = [known[hash]! - 1, seen[hash >>> (HASH_BITS - SEEN_BITS)]! - 1]; // of that size
      const most = there < 0 ? 0 : sameLength(source, there, end, bytes, at);
      const again = here < 0 ? 0 : sameLength(bytes, here, at, bytes, at);
      seen[hash >>> (HASH_BITS - SEEN_BITS)] = at + 1;
      const length = Math.max(most, again);
      if (length < SHORTEST) {
        at += 1;
        continue;
      }
      if (at > written) writer.varint((at - written) * 4 + OWN).raw(bytes.subarray(written, at));
      if (most >= again) writer.varint(length * 4 + OF_DICTIONARY).varint(there);
      else writer.varint(length * 4 + AGAIN).varint(here);
      at += length;
      written = at;
    }
    if (bytes.length > written) writer.varint((bytes.length - written) * 4 + OWN).raw(bytes.subarray(written));
    return writer.finish();
  }

  #learn(bytes: Uint8Array): void {
    if (this.dictionary.length + bytes.length > MOST_BYTES) {
      this.dictionary = { bytes: new Uint8Array(0), length: 0 };
      this.#known.fill(0);
    }
    const { dictionary } = this;
    const { length } = dictionary;
    dictionary.length += bytes.length;
    if (dictionary.length > dictionary.bytes.length) {
      const grown = new Uint8Array(Math.max(dictionary.length, FIRST_BYTES, Math.min(MOST_BYTES, length * 2)));
      grown.set(dictionary.bytes);
      dictionary.bytes = grown;
    }
    dictionary.bytes.set(bytes, length);
    for (let at = 0; at + 4 <= bytes.length; at++) this.#known[hashAt(bytes, at)] = length + at + 1;
  }
}

export function unpack(packed: Uint8Array, length: number, { bytes: source }: Dictionary): Uint8Array {
  const bytes = new Uint8Array(length);
  const reader = new WireReader(packed);
  let at = 0;
  while (at < length) {
    const token = reader.varint();
    const [size, kind] = [Math.floor(token / 4), token % 4];
    const from = kind === OWN ? reader.position : reader.varint();
    if (kind === OWN) reader.position += size;
    bytes.set((kind === OWN ? packed : kind === AGAIN ? bytes : source).subarray(from, from + size), at);
    at += size;
  }
  return bytes;
}

/** How many bytes from `from` on, and before `end`, are those from `at` on. */
function sameLength(source: Uint8Array, from: number, end: number, bytes: Uint8Array, at: number): number {
  const most = Math.min(end - from, bytes.length - at);
  let length = 0;
  while (length < most && source[from + length] === bytes[at + length]) length += 1;
  return length;
}

function hashAt(bytes: Uint8Array, at: number): number {
  const four = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24); // before its end
  return Math.imul(four, 0x9e37_79b1) >>> (32 - HASH_BITS);
}
