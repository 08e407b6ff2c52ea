/**
 * Copies of small resources, side by side in one buffer: with a buffer of its own one of a hundred bytes takes three times as
 * much, and a view of the buffer for each takes as much again, so what is kept of one is where it begins. Its version stands
 * before it. A buffer stays until the last piece in it is replaced, so it is small and takes small pieces only.
 */

import { LENGTH, WireReader } from "../../proto/wire-reader.js";
import { WireWriter } from "../../proto/wire-writer.js";
import type { SentBytes } from "../watch.js";

const SHELF_BYTES = 2_048;
/** Bigger ones have a buffer of their own. */
const LARGEST = 512;

interface Place {
  readonly buffer: Uint8Array;
  readonly at: number;
}

export class ByteShelf {
  #shelf = new Uint8Array(0);
  #used = 0;

  /** @param version its own; undefined: it has none but that of the answer */
  keep(bytes: Uint8Array, version: string | undefined): Shelved {
    return new Shelved(this.#place(bytes, version));
  }

  /** The same bytes, which the server calls by another version now. */
  rename(kept: Shelved, version: string | undefined): void {
    if (kept.version !== version) kept.move(this.#place(kept.read(), version));
  }

  #place(bytes: Uint8Array, version: string | undefined): Place {
    const writer = new WireWriter(bytes.length + 80);
    const piece = writeVersion(writer, version).part(bytes).finish();
    const { length } = piece;
    if (length > LARGEST) return { buffer: piece.slice(), at: 0 };
    if (this.#used + length > this.#shelf.length) {
      this.#shelf = new Uint8Array(SHELF_BYTES);
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += length;
    this.#shelf.set(piece, at);
    return { buffer: this.#shelf, at };
  }
}

/** Bytes and their version, wherever they stand. */
export class Shelved implements SentBytes {
  #buffer: Uint8Array;
  #at: number;

  constructor({ buffer, at }: Place) {
    this.#buffer = buffer;
    this.#at = at;
  }

  /** Its own; undefined: it has none but that of the answer. */
  get version(): string | undefined {
    return readVersion(new WireReader(this.#buffer, this.#at));
  }

  read(): Uint8Array {
    return contentAt(this.#buffer, this.#at);
  }

  /** Costs a fraction of reading what they mean. */
  equals(bytes: Uint8Array): boolean {
    return Buffer.compare(this.read(), bytes) === 0;
  }

  /** The same is there now. */
  move({ buffer, at }: Place): void {
    this.#buffer = buffer;
    this.#at = at;
  }
}

/** Not a method of Shelved: an object whose class has private ones is 8 bytes larger. */
function contentAt(buffer: Uint8Array, at: number): Uint8Array {
  const reader = new WireReader(buffer, at);
  if (reader.varint() !== NO_VERSION) reader.skip(LENGTH);
  return reader.part();
}

/** @returns undefined: it is that of the answer, which is kept once for all that came with it */
export function ownVersion(version: string, answerVersion: string): string | undefined {
  return version === answerVersion ? undefined : version;
}

const [NO_VERSION, TEXT, HEX] = [0, 1, 2];

/** Many servers take a hash: as text it is twice as long. */
const HASH = /^(?:[0-9a-f]{2})+$/;

function writeVersion(writer: WireWriter, version: string | undefined): WireWriter {
  if (version === undefined) return writer.varint(NO_VERSION);
  return HASH.test(version)
    ? writer.varint(HEX).part(Buffer.from(version, "hex"))
    : writer.varint(TEXT).string(version);
}

function readVersion(reader: WireReader): string | undefined {
  const kind = reader.varint();
  if (kind === NO_VERSION) return undefined;
  return kind === TEXT ? reader.string() : Buffer.from(reader.part()).toString("hex");
}
