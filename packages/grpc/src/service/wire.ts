/**
 * The wire form of protocol buffers, as far as the two services need it whose messages this package writes by hand. Theirs are
 * a dozen fields; a table of types, as packages/xds has it, would weigh more than they do.
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const VARINT = 0;
const I64 = 1;
const BYTES = 2;
const I32 = 5;

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

/** A field as it came: numbers of all widths as a number, everything else as bytes. */
export interface Field {
  readonly number: number;
  readonly value: number;
  readonly bytes: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);

/** @throws {RangeError} for what is no message */
export function* fieldsOf(message: Uint8Array): Generator<Field> {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  let at = 0;
  const next = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      const byte = view.getUint8(at++);
      // Negative numbers take ten bytes, and the last ones are beyond what a double holds: nobody here reads them.
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      if (factor > 2 ** 64) throw new RangeError("a number of more than ten bytes");
    }
  };
  while (at < message.length) {
    const tag = next();
    const number = Math.floor(tag / 8);
    switch (tag % 8) {
      case VARINT:
        yield { number, value: next(), bytes: NO_BYTES };
        break;
      case BYTES: {
        const length = next();
        if (at + length > message.length) throw new RangeError("a field that is longer than its message");
        yield { number, value: 0, bytes: message.subarray(at, at + length) };
        at += length;
        break;
      }
      case I32:
        yield { number, value: view.getUint32(at, true), bytes: NO_BYTES };
        at += 4;
        break;
      case I64:
        yield { number, value: Number(view.getBigUint64(at, true)), bytes: NO_BYTES };
        at += 8;
        break;
      default:
        throw new RangeError(`a field of wire type ${tag % 8}`);
    }
  }
}

export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
