/** Reads the wire form of protocol buffers (protobuf.dev/programming-guides/encoding). Bounds are checked; nothing is copied but strings. */

/** What cannot be read: where it is, and what was expected there. */
export class WireError extends Error {
  override readonly name = "WireError";
}

export const VARINT = 0;
export const FIXED64 = 1;
export const LENGTH = 2;
export const FIXED32 = 5;

/** Works on any Uint8Array. */
const { latin1Slice } = Buffer.prototype as unknown as {
  latin1Slice: (this: Uint8Array, start: number, end: number) => string;
};

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Up to it, looking whether all of it is ASCII is cheaper than TextDecoder, in bytes. */
const SHORT_TEXT = 64;

export class WireReader {
  readonly bytes: Uint8Array;
  position: number;
  /** Where the message ends that is being read. */
  end: number;
  /** Made when the first number of fixed size comes: most messages have none. */
  #view: DataView | undefined;

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  get done(): boolean {
    return this.position >= this.end;
  }

  /** Field number times eight, plus the wire type. @throws {WireError} */
  tag(): number {
    const tag = this.varint();
    if (tag < 8 || tag > 0xffff_ffff)
      throw new WireError(`no field has number ${Math.floor(tag / 8)}, at byte ${this.position}`);
    return tag;
  }

  /** An unsigned number; above 2^53 the nearest one. @throws {WireError} */
  varint(): number {
    const first = this.bytes[this.position];
    if (first !== undefined && first < 0x80 && this.position < this.end) {
      this.position += 1;
      return first;
    }
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 10; count++) {
      const byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new WireError(`a varint of more than 10 bytes, at byte ${this.position}`);
  }

  /** All 64 bits. @throws {WireError} */
  varint64(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new WireError(`a varint of more than 10 bytes, at byte ${this.position}`);
  }

  fixed32(): number {
    const at = this.#advance(4);
    return this.#numbers.getUint32(at, true);
  }

  fixed64(): bigint {
    const at = this.#advance(8);
    return this.#numbers.getBigUint64(at, true);
  }

  float(): number {
    return this.#numbers.getFloat32(this.#advance(4), true);
  }

  double(): number {
    return this.#numbers.getFloat64(this.#advance(8), true);
  }

  /** A part of the same bytes. @throws {WireError} */
  part(): Uint8Array {
    const length = this.varint();
    const at = this.#advance(length);
    return this.bytes.subarray(at, at + length);
  }

  /** Reads what a length-delimited field holds. @throws {WireError} */
  nested(): WireReader {
    const length = this.varint();
    const at = this.#advance(length);
    return new WireReader(this.bytes, at, at + length);
  }

  /**
   * As `nested`, by this reader itself: it reads up to the end of the inner message until `leave`. Cheaper where there are many.
   * @returns where the outer message ends, for `leave`
   * @throws {WireError}
   */
  enter(): number {
    const outer = this.end;
    const length = this.varint();
    this.end = this.#advance(length) + length;
    this.position = this.end - length;
    return outer;
  }

  /** Of the inner message nothing is left. */
  leave(outer: number): void {
    this.end = outer;
  }

  /** @throws {WireError} also for bytes that are no UTF-8 */
  string(): string {
    const length = this.varint();
    const at = this.#advance(length);
    if (length <= SHORT_TEXT) {
      let index = at;
      while (index < at + length && this.bytes[index]! < 0x80) index += 1; // inside the bounds
      if (index === at + length) return latin1Slice.call(this.bytes, at, index);
    }
    try {
      return utf8.decode(this.bytes.subarray(at, at + length));
    } catch {
      throw new WireError(`text that is no UTF-8, at byte ${at}`);
    }
  }

  /** Steps over a field that nobody asked for. @throws {WireError} */
  skip(wireType: number): void {
    switch (wireType) {
      case VARINT:
        for (let count = 0; count < 10; count++) if (this.#byte() < 0x80) return;
        throw new WireError(`a varint of more than 10 bytes, at byte ${this.position}`);
      case FIXED64:
        this.#advance(8);
        return;
      case LENGTH:
        this.#advance(this.varint());
        return;
      case FIXED32:
        this.#advance(4);
        return;
      default:
        throw new WireError(`wire type ${wireType}, at byte ${this.position}`); // groups: proto3 has none
    }
  }

  get #numbers(): DataView {
    this.#view ??= new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
    return this.#view;
  }

  #byte(): number {
    if (this.position >= this.end)
      throw new WireError(`the message ends in the middle of a field, at byte ${this.end}`);
    return this.bytes[this.position++]!; // inside the bounds
  }

  #advance(length: number): number {
    const at = this.position;
    if (length > this.end - at)
      throw new WireError(`${length} bytes are announced at byte ${at}, and ${this.end - at} are there`);
    this.position = at + length;
    return at;
  }
}
