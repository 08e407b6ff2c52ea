/**
 * The wire form of protocol buffers, as far as the two services need it whose messages this package writes by hand. Theirs are
 * a dozen fields; a table of types, as packages/xds has it, would weigh more than they do.
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const VARINT = 0;
const BYTES = 2;

/** Writes one message. Fields that hold their type's default are left out, as proto3 does. */
export class MessageWriter {
  readonly #parts: Uint8Array[] = [];

  /** @param value a whole number, 0 to 2^53 */
  number(field: number, value: number): this {
    if (value !== 0) this.#parts.push(varint(field * 8 + VARINT), varint(value));
    return this;
  }

  text(field: number, value: string): this {
    return value === "" ? this : this.message(field, encoder.encode(value));
  }

  bytes(field: number, value: Uint8Array): this {
    return value.length === 0 ? this : this.message(field, value);
  }

  /** Also one without content: that it is there says something. */
  message(field: number, value: Uint8Array): this {
    this.#parts.push(varint(field * 8 + BYTES), varint(value.length), value);
    return this;
  }

  /** One entry of a map of texts. */
  entry(field: number, key: string, value: string): this {
    return this.message(field, new MessageWriter().text(1, key).text(2, value).finish());
  }

  finish(): Uint8Array {
    return Buffer.concat(this.#parts);
  }
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
