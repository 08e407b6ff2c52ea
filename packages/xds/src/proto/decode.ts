/**
 * Messages as plain objects: unset fields are absent, enums are names, wrappers their value, durations and timestamps text,
 * a Struct plain JSON, an Any `{ "@type": "full.name", …fields }`. What a table does not know is stepped over. Objects have no
 * prototype where their keys come from the wire, so that no key means anything.
 */

import type { FieldType, MessageType, Schema } from "./schema.js";
import { durationText, timestampText, WRAPPERS } from "./well-known.js";
import { FIXED32, FIXED64, LENGTH, VARINT, WireError, WireReader } from "./wire-reader.js";

export type Message = Record<string, unknown>;

/** An Any whose message stays as it came. */
export interface RawAny {
  /** What follows the last `/` of its type URL. */
  readonly type: string;
  /** Part of the bytes that were decoded. */
  readonly value: Uint8Array;
}

export interface DecodeOptions {
  /** `raw`: a RawAny. Messages that no table knows are that in any case. @default "decode" */
  readonly any?: "decode" | "raw";
  /** Told of each field that the table does not have. @default it is stepped over in silence */
  readonly onUnknown?: (message: string, field: number) => void;
}

/** Messages in messages; what is deeper is refused, so that no message can exhaust the stack. */
const MOST_LEVELS = 100;

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/** @throws {WireError} what is wrong, and in which field */
export function decodeMessage(schema: Schema, name: string, bytes: Uint8Array, options: DecodeOptions = {}): Message {
  return decode({ schema, options, level: 0 }, name, new WireReader(bytes)) as Message;
}

interface Context {
  readonly schema: Schema;
  readonly options: DecodeOptions;
  level: number;
}

function decode(context: Context, name: string, reader: WireReader): unknown {
  if (context.level >= MOST_LEVELS) throw new WireError(`messages nested more than ${MOST_LEVELS} deep, in ${name}`);
  context.level += 1;
  try {
    return wellKnown(context, name, reader) ?? fields(context, typeOf(context, name), reader);
  } finally {
    context.level -= 1;
  }
}

function typeOf({ schema }: Context, name: string): MessageType {
  const type = schema.message(name);
  if (type === undefined) throw new WireError(`no table has the message ${name}`);
  return type;
}

function fields(context: Context, type: MessageType, reader: WireReader): Message {
  const message: Message = {};
  while (!reader.done) {
    const tag = reader.tag();
    const wireType = tag & 7;
    const field = type.byNumber.get(tag >>> 3);
    if (field === undefined) {
      context.options.onUnknown?.(type.name, tag >>> 3);
      reader.skip(wireType);
      continue;
    }
    try {
      take(context, message, field, type, wireType, reader);
    } catch (error) {
      if (error instanceof WireError && !error.message.includes(" in field ")) {
        throw new WireError(`${error.message}, in field ${field.name} of ${type.name}`);
      }
      throw error;
    }
  }
  return message;
}

function take(
  context: Context,
  message: Message,
  field: FieldType,
  type: MessageType,
  wireType: number,
  reader: WireReader,
): void {
  const { name, kind } = field;
  if (field.oneof !== undefined) clearOneof(message, field, type);
  if (field.mapKey !== undefined) {
    message[name] ??= Object.create(null);
    const map = message[name] as Message;
    const [key, value] = entry(context, field, reader.nested());
    map[key] = value;
    return;
  }
  if (field.repeated) {
    message[name] ??= [];
    const list = message[name] as unknown[];
    if (wireType === LENGTH && kind !== "message" && field.type !== "string" && field.type !== "bytes") {
      const packed = reader.nested(); // one field may hold many numbers
      while (!packed.done) list.push(scalar(context, field, undefined, packed));
      return;
    }
    list.push(
      kind === "message" ? decode(context, field.type, reader.nested()) : scalar(context, field, wireType, reader),
    );
    return;
  }
  if (kind !== "message") {
    message[name] = scalar(context, field, wireType, reader);
    return;
  }
  if (wireType !== LENGTH) throw new WireError(`wire type ${wireType} where a message was expected`);
  const value = decode(context, field.type, reader.nested());
  const before = message[name];
  message[name] = isPlain(before) && isPlain(value) ? merge(before, value) : value === NULL ? null : value;
}

function clearOneof(message: Message, { oneof, name }: FieldType, { byName }: MessageType): void {
  for (const other of Object.keys(message)) {
    if (other !== name && byName.get(other)?.oneof === oneof) delete message[other];
  }
}

function entry(context: Context, { mapKey, type, kind }: FieldType, reader: WireReader): readonly [string, unknown] {
  const keyField = { kind: "scalar", type: mapKey!, name: "key" } as FieldType; // of maps only
  const valueField = { kind, type, name: "value" } as FieldType;
  let key: unknown = mapKey === "string" ? "" : 0;
  let value: unknown;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) key = scalar(context, keyField, tag & 7, reader);
    else if (tag >>> 3 === 2)
      value =
        kind === "message" ? decode(context, type, reader.nested()) : scalar(context, valueField, tag & 7, reader);
    else reader.skip(tag & 7);
  }
  value ??= kind === "message" ? decode(context, type, new WireReader(new Uint8Array())) : zero(context, valueField);
  return [String(key), value];
}

const WIRE_TYPES: Readonly<Record<string, number>> = {
  ...{ double: FIXED64, fixed64: FIXED64, sfixed64: FIXED64, float: FIXED32, fixed32: FIXED32, sfixed32: FIXED32 },
  ...{ string: LENGTH, bytes: LENGTH },
};

/** @param wireType undefined inside a packed list */
function scalar({ schema }: Context, field: FieldType, wireType: number | undefined, reader: WireReader): unknown {
  const expected = field.kind === "enum" ? VARINT : (WIRE_TYPES[field.type] ?? VARINT);
  if (wireType !== undefined && wireType !== expected) {
    throw new WireError(`wire type ${wireType} where ${field.type} was expected`);
  }
  if (field.kind === "enum") {
    const number = Number(BigInt.asIntN(32, reader.varint64()));
    return schema.enumeration(field.type).byNumber.get(number) ?? number;
  }
  switch (field.type) {
    case "string":
      return reader.string();
    case "bytes":
      return reader.part();
    case "bool":
      return reader.varint() !== 0;
    case "double":
      return reader.double();
    case "float":
      return reader.float();
    case "fixed32":
      return reader.fixed32();
    case "sfixed32":
      return reader.fixed32() | 0;
    case "uint32":
      return Number(BigInt.asUintN(32, reader.varint64()));
    case "int32":
      return Number(BigInt.asIntN(32, reader.varint64()));
    case "sint32":
      return Number(zigzag(BigInt.asUintN(32, reader.varint64())));
    case "uint64":
      return whole(reader.varint64());
    case "int64":
      return whole(BigInt.asIntN(64, reader.varint64()));
    case "sint64":
      return whole(zigzag(reader.varint64()));
    case "fixed64":
      return whole(reader.fixed64());
    default:
      return whole(BigInt.asIntN(64, reader.fixed64()));
  }
}

function zero({ schema }: Context, { kind, type }: FieldType): unknown {
  if (kind === "enum") return schema.enumeration(type).byNumber.get(0) ?? 0;
  if (type === "string") return "";
  if (type === "bytes") return new Uint8Array();
  return type === "bool" ? false : 0;
}

/** A number where it is exact, else its digits. */
function whole(value: bigint): number | string {
  return value <= MAX_SAFE && value >= -MAX_SAFE ? Number(value) : String(value);
}

function zigzag(value: bigint): bigint {
  return (value >> 1n) ^ -(value & 1n);
}

function isPlain(value: unknown): value is Message {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

/** A message field that comes twice: the later one's fields count, lists are joined. */
function merge(before: Message, after: Message): Message {
  for (const [name, value] of Object.entries(after)) {
    const old = before[name];
    if (Array.isArray(old) && Array.isArray(value)) before[name] = [...old, ...value];
    else before[name] = isPlain(old) && isPlain(value) ? merge(old, value) : value;
  }
  return before;
}

// ---- types with a JSON form of their own ----

/** Undefined: it is a message like any other. */
function wellKnown(context: Context, name: string, reader: WireReader): unknown {
  if (!name.startsWith("google.protobuf.")) return undefined;
  const wrapped = WRAPPERS[name];
  if (wrapped !== undefined) {
    const field = { kind: "scalar", type: wrapped, name: "value" } as FieldType;
    let value = zero(context, field);
    eachField(reader, (number, wireType) => {
      if (number === 1) value = scalar(context, field, wireType, reader);
      else reader.skip(wireType);
    });
    return value;
  }
  switch (name) {
    case "google.protobuf.Duration":
    case "google.protobuf.Timestamp": {
      let seconds = 0;
      let nanos = 0;
      eachField(reader, (number, wireType) => {
        if (number === 1) seconds = Number(BigInt.asIntN(64, reader.varint64()));
        else if (number === 2) nanos = Number(BigInt.asIntN(32, reader.varint64()));
        else reader.skip(wireType);
      });
      return name.endsWith("Duration") ? durationText(seconds, nanos) : timestampText(seconds, nanos);
    }
    case "google.protobuf.Empty":
      return {};
    case "google.protobuf.Any":
      return any(context, reader);
    case "google.protobuf.Struct": {
      const struct: Message = Object.create(null);
      eachField(reader, (number, wireType) => {
        if (number !== 1) return reader.skip(wireType);
        const [key, value] = entry(context, STRUCT_FIELD, reader.nested());
        struct[key] = value === NULL ? null : value;
      });
      return struct;
    }
    case "google.protobuf.Value":
      return structValue(context, reader);
    case "google.protobuf.ListValue": {
      const list: unknown[] = [];
      eachField(reader, (number, wireType) => {
        if (number !== 1) return reader.skip(wireType);
        const value = decode(context, "google.protobuf.Value", reader.nested());
        list.push(value === NULL ? null : value);
      });
      return list;
    }
    default:
      return undefined;
  }
}

const STRUCT_FIELD = { kind: "message", type: "google.protobuf.Value", mapKey: "string", name: "fields" } as FieldType;
/** JSON's null on its way through functions for which undefined and null mean that there is nothing. */
const NULL: unique symbol = Symbol("null");

function structValue(context: Context, reader: WireReader): unknown {
  let value: unknown = NULL;
  eachField(reader, (number, wireType) => {
    if (number === 1) {
      reader.skip(wireType);
      value = NULL;
    } else if (number === 2) value = reader.double();
    else if (number === 3) value = reader.string();
    else if (number === 4) value = reader.varint() !== 0;
    else if (number === 5) value = decode(context, "google.protobuf.Struct", reader.nested());
    else if (number === 6) value = decode(context, "google.protobuf.ListValue", reader.nested());
    else reader.skip(wireType);
  });
  return value;
}

function any(context: Context, reader: WireReader): Message | RawAny {
  let url = "";
  let value = new Uint8Array();
  eachField(reader, (number, wireType) => {
    if (number === 1) url = reader.string();
    else if (number === 2) value = reader.part() as Uint8Array<ArrayBuffer>;
    else reader.skip(wireType);
  });
  const type = url.slice(url.lastIndexOf("/") + 1);
  const known = type.startsWith("google.protobuf.") || context.schema.message(type) !== undefined;
  if (context.options.any === "raw" || !known) return { type, value };
  const decoded = decode(context, type, new WireReader(value));
  return isPlain(decoded) && !type.startsWith("google.protobuf.")
    ? { "@type": type, ...decoded }
    : { "@type": type, value: decoded };
}

function eachField(reader: WireReader, read: (number: number, wireType: number) => void): void {
  while (!reader.done) {
    const tag = reader.tag();
    read(tag >>> 3, tag & 7);
  }
}
