/**
 * Copies of small resources, packed and side by side in one buffer: with a buffer of its own one of a hundred bytes takes three
 * times as much, and a view of the buffer for each takes as much again, so what is kept of one is where it begins. Its version
 * stands before it. A buffer stays until the last piece in it is replaced, so it is small and takes small pieces only.
 */

import { LENGTH, WireReader } from "../../proto/wire-reader.js";
import { WireWriter } from "../../proto/wire-writer.js";
import type { SentBytes } from "../watch.js";
import { type Dictionary, LARGEST_PACKED, Packer, unpack } from "./packer.js";

const SHELF_BYTES = 2_048;
/** Bigger ones have a buffer of their own. */
const LARGEST = 512;

/** A buffer, and what pieces in it refer to. */
interface Shelf {
  readonly bytes: Uint8Array;
  readonly dictionary: Dictionary;
}

export interface Place {
  readonly shelf: Shelf;
  readonly at: number;
}

export class ByteShelf {
  readonly #packer = new Packer();
  #shelf: Shelf | undefined;
  #used = 0;

  /** @param version its own; undefined: it has none but that of the answer */
  keep(bytes: Uint8Array, version: string | undefined): Shelved {
    return new Shelved(this.#place(bytes, version));
  }

  /**
   * Where the same bytes stand under the version that the server calls them by now, for `kept.move`; undefined: where they are.
   * Packing them is part of reading an answer, which pauses, and no part of taking it over, which does not.
   */
  renamed(kept: Shelved, bytes: Uint8Array, version: string | undefined): Place | undefined {
    return kept.version === version ? undefined : this.#place(bytes, version);
  }

  #place(bytes: Uint8Array, version: string | undefined): Place {
    const writer = new WireWriter(128);
    writeVersion(writer, version);
    if (bytes.length > LARGEST_PACKED) writer.varint(AS_IT_IS).raw(bytes);
    else writer.varint(bytes.length + 1).raw(this.#packer.pack(bytes));
    const piece = writer.finish();
    const { length } = piece;
    const { dictionary } = this.#packer;
    if (length > LARGEST) return { shelf: { bytes: piece.slice(), dictionary }, at: 0 };
    if (this.#shelf?.dictionary !== dictionary || this.#used + length > SHELF_BYTES) {
      this.#shelf = { bytes: new Uint8Array(SHELF_BYTES), dictionary };
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += length;
    this.#shelf.bytes.set(piece, at);
    return { shelf: this.#shelf, at };
  }
}

/** Stands where the length of a packed piece does, plus one. */
const AS_IT_IS = 0;

/** Bytes and their version, wherever they stand. */
export class Shelved implements SentBytes {
  #shelf: Shelf;
  #at: number;

  constructor({ shelf, at }: Place) {
    this.#shelf = shelf;
    this.#at = at;
  }

  /** Its own; undefined: it has none but that of the answer. */
  get version(): string | undefined {
    return readVersion(new WireReader(this.#shelf.bytes, this.#at));
  }

  read(): Uint8Array {
    const { bytes, dictionary } = this.#shelf;
    const reader = new WireReader(bytes, this.#at);
    if (reader.varint() !== NO_VERSION) reader.skip(LENGTH);
    const size = reader.varint();
    const rest = bytes.subarray(reader.position);
    return size === AS_IT_IS ? rest : unpack(rest, size - 1, dictionary);
  }

  /** Costs a fraction of reading what they mean. */
  equals(bytes: Uint8Array): boolean {
    return Buffer.compare(this.read(), bytes) === 0;
  }

  /** The same is there now. */
  move({ shelf, at }: Place): void {
    this.#shelf = shelf;
    this.#at = at;
  }
}

/** @returns undefined: it is that of the answer, which is kept once for all that came with it */
export function ownVersion(version: string, answerVersion: string): string | undefined {
  return version === answerVersion ? undefined : version;
}

const [NO_VERSION, TEXT, HEX] = [0, 1, 2];

/** Many servers take a hash: as text it is twice as long. */
const HASH = /^(?:[0-9a-f]{2})+$/;

function writeVersion(writer: WireWriter, version: string | undefined): void {
  if (version === undefined) writer.varint(NO_VERSION);
  else if (HASH.test(version)) writer.varint(HEX).part(Buffer.from(version, "hex"));
  else writer.varint(TEXT).string(version);
}

function readVersion(reader: WireReader): string | undefined {
  const kind = reader.varint();
  if (kind === NO_VERSION) return undefined;
  return kind === TEXT ? reader.string() : Buffer.from(reader.part()).toString("hex");
}
