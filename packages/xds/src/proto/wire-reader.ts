/** Reads the wire form of protocol buffers (protobuf.dev/programming-guides/encoding). Bounds are checked; nothing is copied but strings. */

/** What cannot be read: where it is, and what was expected there. */
export class WireError extends Error {
  override readonly name = "WireError";
}

export const VARINT = 0;
export const FIXED64 = 1;
export const LENGTH = 2;
export const FIXED32 = 5;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Below it, reading characters one by one is faster than TextDecoder, in bytes. */
const SHORT_TEXT = 24;

export class WireReader {
  readonly bytes: Uint8Array;
  position: number;
  readonly end: number;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
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
    return this.#view.getUint32(at, true);
  }

  fixed64(): bigint {
    const at = this.#advance(8);
    return this.#view.getBigUint64(at, true);
  }

  float(): number {
    return this.#view.getFloat32(this.#advance(4), true);
  }

  double(): number {
    return this.#view.getFloat64(this.#advance(8), true);
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

  /** @throws {WireError} also for bytes that are no UTF-8 */
  string(): string {
    const length = this.varint();
    const at = this.#advance(length);
    if (length <= SHORT_TEXT) {
      let text = "";
      let index = at;
      for (; index < at + length; index++) {
        const byte = this.bytes[index]!; // inside the bounds
        if (byte >= 0x80) break;
        text += String.fromCharCode(byte);
      }
      if (index === at + length) return text;
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
