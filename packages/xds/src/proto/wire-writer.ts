/** Writes the wire form of protocol buffers. Grows as needed; a nested message is written by its own writer, then copied in. */

const encoder = new TextEncoder();

export class WireWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor(size = 64) {
    this.#bytes = new Uint8Array(size);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** @returns a view of what was written so far */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  tag(field: number, wireType: number): this {
    return this.varint(field * 8 + wireType);
  }

  /** @param value a whole number, 0 to 2^53 */
  varint(value: number): this {
    this.#reserve(10);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#length++] = rest;
    return this;
  }

  varint64(value: bigint): this {
    this.#reserve(10);
    let rest = BigInt.asUintN(64, value);
    while (rest >= 0x80n) {
      this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#length++] = Number(rest);
    return this;
  }

  fixed32(value: number): this {
    this.#view.setUint32(this.#grown(4), value, true);
    return this;
  }

  fixed64(value: bigint): this {
    this.#view.setBigUint64(this.#grown(8), BigInt.asUintN(64, value), true);
    return this;
  }

  float(value: number): this {
    this.#view.setFloat32(this.#grown(4), value, true);
    return this;
  }

  double(value: number): this {
    this.#view.setFloat64(this.#grown(8), value, true);
    return this;
  }

  /** With its length before it. */
  part(bytes: Uint8Array): this {
    this.varint(bytes.length);
    const at = this.#grown(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  string(text: string): this {
    return this.part(encoder.encode(text));
  }

  /** As it is, without a length. */
  raw(bytes: Uint8Array): this {
    const at = this.#grown(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  #grown(size: number): number {
    this.#reserve(size);
    const at = this.#length;
    this.#length += size;
    return at;
  }

  #reserve(size: number): void {
    const needed = this.#length + size;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
