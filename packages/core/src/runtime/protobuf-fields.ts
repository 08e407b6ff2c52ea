/**
 * The fields of one message in the wire form of protocol buffers, for who reads a few of them by hand. Whole schemas, and what
 * is read often, are packages/xds's, whose reader copies and yields nothing.
 */

const VARINT = 0;
const I64 = 1;
const BYTES = 2;
const I32 = 5;

/** As it came: numbers of all widths as a number, everything else as bytes. */
export interface ProtobufField {
  readonly number: number;
  readonly value: number;
  readonly bytes: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);

/** @throws {RangeError} for what is no message */
export function* protobufFields(message: Uint8Array): Generator<ProtobufField> {
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
