/** The way back of `decode`: the same plain objects into the wire form. Absent and undefined fields are not written. */

import type { Message, RawAny } from "./decode.js";
import type { FieldType, Schema } from "./schema.js";
import { parseDurationText, parseTimestampText, WRAPPERS } from "./well-known.js";
import { FIXED32, FIXED64, LENGTH, VARINT } from "./wire-reader.js";
import { WireWriter } from "./wire-writer.js";

const TYPE_PREFIX = "type.googleapis.com/";

/** @throws {TypeError} a field that the message does not have, or a value that is none of the field's */
export function encodeMessage(schema: Schema, name: string, message: unknown): Uint8Array {
  const writer = new WireWriter();
  write(schema, name, message, writer);
  return writer.finish();
}

function write(schema: Schema, name: string, value: unknown, writer: WireWriter): void {
  if (name.startsWith("google.protobuf.") && wellKnown(schema, name, value, writer)) return;
  const type = schema.message(name);
  if (type === undefined) throw new TypeError(`no table has the message ${name}`);
  for (const [key, each] of Object.entries(value as Message)) {
    if (each === undefined || key === "@type") continue;
    const field = type.byName.get(key);
    if (field === undefined) throw new TypeError(`${name} has no field ${key}`);
    writeField(schema, field, each, writer);
  }
}

function writeField(schema: Schema, field: FieldType, value: unknown, writer: WireWriter): void {
  const { number, mapKey } = field;
  if (mapKey !== undefined) {
    for (const [key, each] of Object.entries(value as Message)) {
      const inner = new WireWriter();
      writeOne(schema, { ...field, number: 1, kind: "scalar", type: mapKey }, keyOf(mapKey, key), inner);
      writeOne(schema, { ...field, number: 2 }, each, inner);
      writer.tag(number, LENGTH).part(inner.finish());
    }
    return;
  }
  if (!field.repeated) return writeOne(schema, field, value, writer);
  for (const each of value as readonly unknown[]) writeOne(schema, field, each, writer); // not packed: readers take both
}

function keyOf(mapKey: string, key: string): unknown {
  if (mapKey === "string") return key;
  return mapKey === "bool" ? key === "true" : Number(key);
}

function writeOne(schema: Schema, { number, kind, type }: FieldType, value: unknown, writer: WireWriter): void {
  if (kind === "message") {
    const inner = new WireWriter();
    write(schema, type, value, inner);
    writer.tag(number, LENGTH).part(inner.finish());
    return;
  }
  if (kind === "enum") {
    const known = typeof value === "number" ? value : schema.enumeration(type).byName.get(String(value));
    if (known === undefined) throw new TypeError(`${type} has no value ${String(value)}`);
    writer.tag(number, VARINT).varint64(BigInt(known));
    return;
  }
  writeScalar(number, type, value, writer);
}

function writeScalar(number: number, type: string, value: unknown, writer: WireWriter): void {
  switch (type) {
    case "string":
      writer.tag(number, LENGTH).string(String(value));
      return;
    case "bytes":
      writer.tag(number, LENGTH).part(value as Uint8Array);
      return;
    case "bool":
      writer.tag(number, VARINT).varint(value ? 1 : 0);
      return;
    case "double":
      writer.tag(number, FIXED64).double(Number(value));
      return;
    case "float":
      writer.tag(number, FIXED32).float(Number(value));
      return;
    case "fixed32":
    case "sfixed32":
      writer.tag(number, FIXED32).fixed32(Number(value) >>> 0);
      return;
    case "fixed64":
    case "sfixed64":
      writer.tag(number, FIXED64).fixed64(BigInt(value as number));
      return;
    case "sint32":
    case "sint64": {
      const signed = BigInt(value as number);
      writer.tag(number, VARINT).varint64((signed << 1n) ^ (signed >> 63n));
      return;
    }
    default:
      writer.tag(number, VARINT).varint64(BigInt(value as number));
  }
}

/** @returns whether it was one of them */
function wellKnown(schema: Schema, name: string, value: unknown, writer: WireWriter): boolean {
  const wrapped = WRAPPERS[name];
  if (wrapped !== undefined) {
    writeScalar(1, wrapped, value, writer);
    return true;
  }
  switch (name) {
    case "google.protobuf.Duration":
    case "google.protobuf.Timestamp": {
      const parse = name.endsWith("Duration") ? parseDurationText : parseTimestampText;
      const parsed = parse(String(value));
      if (parsed === undefined) throw new TypeError(`${String(value)} is no ${name}`);
      if (parsed.seconds !== 0) writer.tag(1, VARINT).varint64(BigInt(parsed.seconds));
      if (parsed.nanos !== 0) writer.tag(2, VARINT).varint64(BigInt(parsed.nanos));
      return true;
    }
    case "google.protobuf.Empty":
      return true;
    case "google.protobuf.Any": {
      const [type, bytes] = anyParts(schema, value);
      writer.tag(1, LENGTH).string(`${TYPE_PREFIX}${type}`).tag(2, LENGTH).part(bytes);
      return true;
    }
    case "google.protobuf.Struct":
      for (const [key, each] of Object.entries(value as Message)) {
        const inner = new WireWriter().tag(1, LENGTH).string(key);
        inner.tag(2, LENGTH).part(encodeMessage(schema, "google.protobuf.Value", each));
        writer.tag(1, LENGTH).part(inner.finish());
      }
      return true;
    case "google.protobuf.ListValue":
      for (const each of value as readonly unknown[]) {
        writer.tag(1, LENGTH).part(encodeMessage(schema, "google.protobuf.Value", each));
      }
      return true;
    case "google.protobuf.Value":
      writeStructValue(schema, value, writer);
      return true;
    default:
      return false;
  }
}

function anyParts(schema: Schema, value: unknown): readonly [string, Uint8Array] {
  if ("type" in (value as object) && (value as RawAny).value instanceof Uint8Array) {
    const { type, value: bytes } = value as RawAny;
    return [type, bytes];
  }
  const { "@type": type, ...fields } = value as Message;
  if (typeof type !== "string") throw new TypeError("an Any needs its @type");
  return [type, encodeMessage(schema, type, type.startsWith("google.protobuf.") ? fields["value"] : fields)];
}

function writeStructValue(schema: Schema, value: unknown, writer: WireWriter): void {
  if (value === null) writer.tag(1, VARINT).varint(0);
  else if (typeof value === "number") writer.tag(2, FIXED64).double(value);
  else if (typeof value === "string") writer.tag(3, LENGTH).string(value);
  else if (typeof value === "boolean") writer.tag(4, VARINT).varint(value ? 1 : 0);
  else if (Array.isArray(value)) writer.tag(6, LENGTH).part(encodeMessage(schema, "google.protobuf.ListValue", value));
  else writer.tag(5, LENGTH).part(encodeMessage(schema, "google.protobuf.Struct", value));
}
