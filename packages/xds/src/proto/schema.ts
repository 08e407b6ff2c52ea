/**
 * What messages are made of, as generated tables say it. One line per message keeps the tables small and quick to load; a
 * line is read when the first message of its type comes.
 */

/** Scalars by their names in .proto files. */
export type Scalar =
  | "double"
  | "float"
  | "int32"
  | "int64"
  | "uint32"
  | "uint64"
  | "sint32"
  | "sint64"
  | "fixed32"
  | "fixed64"
  | "sfixed32"
  | "sfixed64"
  | "bool"
  | "string"
  | "bytes";

export interface FieldType {
  readonly number: number;
  /** As messages show it: the .proto file's for Envoy's, the JSON name for Istio's, whose YAML has that. */
  readonly name: string;
  readonly kind: "scalar" | "enum" | "message";
  /** A scalar, or the full name of a message or an enum. */
  readonly type: string;
  readonly repeated: boolean;
  /** Scalar of the keys, where it is a map. */
  readonly mapKey: string | undefined;
  /** Of the fields of a oneof only the last one that came counts. */
  readonly oneof: string | undefined;
}

export interface MessageType {
  readonly name: string;
  readonly byNumber: ReadonlyMap<number, FieldType>;
  readonly byName: ReadonlyMap<string, FieldType>;
}

export interface EnumType {
  readonly byNumber: ReadonlyMap<number, string>;
  readonly byName: ReadonlyMap<string, number>;
}

export interface SchemaTables {
  /**
   * Fields by the message's full name, separated by `;`: `1 cluster_name string;2 endpoints []a.b.Locality;5 named {string}a.b.Endpoint`.
   * An enum's name has `#` before it, a field of a oneof ends with `@oneof`.
   */
  readonly messages: Readonly<Record<string, string>>;
  /** `0 UNKNOWN;1 HEALTHY` by the enum's full name. */
  readonly enums: Readonly<Record<string, string>>;
}

const SCALARS: ReadonlySet<string> = new Set<Scalar>([
  ...(["double", "float", "int32", "int64", "uint32", "uint64", "sint32", "sint64"] as const),
  ...(["fixed32", "fixed64", "sfixed32", "sfixed64", "bool", "string", "bytes"] as const),
]);

const FIELD = /^(\d+) (\S+) (\[\])?(?:\{(\w+)\})?(#)?([\w.]+)(?:@(\w+))?$/;

export class Schema {
  readonly #tables: readonly SchemaTables[];
  readonly #messages = new Map<string, MessageType | undefined>();
  readonly #enums = new Map<string, EnumType>();

  /** Several tables may be put together; of a name that is in more than one the first counts. */
  constructor(...tables: readonly SchemaTables[]) {
    this.#tables = tables;
  }

  /** Undefined: no table has it. */
  message(name: string): MessageType | undefined {
    if (this.#messages.has(name)) return this.#messages.get(name);
    const line = this.#find("messages", name);
    const message = line === undefined ? undefined : parseMessage(name, line);
    this.#messages.set(name, message);
    return message;
  }

  enumeration(name: string): EnumType {
    let found = this.#enums.get(name);
    if (found === undefined) {
      found = parseEnum(this.#find("enums", name) ?? "");
      this.#enums.set(name, found);
    }
    return found;
  }

  #find(kind: keyof SchemaTables, name: string): string | undefined {
    for (const table of this.#tables) if (Object.hasOwn(table[kind], name)) return table[kind][name];
    return undefined;
  }
}

function parseMessage(name: string, line: string): MessageType {
  const fields = line === "" ? [] : line.split(";").map((text) => parseField(name, text));
  return {
    name,
    byNumber: new Map(fields.map((field) => [field.number, field])),
    byName: new Map(fields.map((field) => [field.name, field])),
  };
}

function parseField(message: string, text: string): FieldType {
  const [, number, name, list, mapKey, isEnum, type, oneof] = FIELD.exec(text) ?? [];
  if (number === undefined || name === undefined || type === undefined) {
    throw new Error(`the table of ${message} has a field that cannot be read: ${text}`);
  }
  const kind = isEnum === "#" ? "enum" : SCALARS.has(type) ? "scalar" : "message";
  return { number: Number(number), name, kind, type, repeated: list !== undefined, mapKey, oneof };
}

function parseEnum(line: string): EnumType {
  const values = line === "" ? [] : line.split(";").map((text) => text.split(" ") as [string, string]);
  const byNumber = new Map<number, string>();
  // Of several names for one number the first is the one that is shown.
  for (const [number, name] of values) if (!byNumber.has(Number(number))) byNumber.set(Number(number), name);
  return { byNumber, byName: new Map(values.map(([number, name]) => [name, Number(number)])) };
}
