/** A resource in the JSON of protocol buffers, as Envoy's admin endpoint and the tools around it have it. */

import { decodeMessage } from "../proto/decode.js";
import { SCHEMA } from "./schema.js";

const PREFIX = "type.googleapis.com/";

/**
 * With the type's whole URL, and such URLs in it. What is of a type in no table is `{"@type", "inmesh_bytes"}`, a field that no message has, the bytes in base64; so
 * is all of the resource where its own type is in none. Fields that no table has are left out.
 * @param type full name of the message
 * @throws {WireError} the bytes are no such message
 */
export function envoyJson(type: string, bytes: Uint8Array): Readonly<Record<string, unknown>> {
  if (SCHEMA.message(type) === undefined) return raw(type, bytes);
  return { "@type": `${PREFIX}${type}`, ...(json(decodeMessage(SCHEMA, type, bytes)) as Record<string, unknown>) };
}

function raw(type: string, bytes: Uint8Array) {
  return { "@type": `${PREFIX}${type}`, inmesh_bytes: base64(bytes) };
}

function json(value: unknown): unknown {
  if (value instanceof Uint8Array) return base64(value);
  if (Array.isArray(value)) return value.map(json);
  if (typeof value === "number" && !Number.isFinite(value))
    return Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
  if (typeof value !== "object" || value === null) return value;
  const { type, value: bytes, ...others } = value as Record<string, unknown>;
  // An Any of a type that no table has.
  if (typeof type === "string" && bytes instanceof Uint8Array && Object.keys(others).length === 0)
    return raw(type, bytes);
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, key === "@type" ? `${PREFIX}${each}` : json(each)]),
  );
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
