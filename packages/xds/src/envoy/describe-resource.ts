/** A resource for people: what was sent, whether this version honours it or not. */

import { decodeMessage } from "../proto/decode.js";
import { SCHEMA } from "./schema.js";

export type DescribedResource = { readonly "@type": string } & Readonly<Record<string, unknown>>;

/**
 * Plain data, as YAML and JSON can have it: fields by their names in .proto files, durations as text, bytes in base64.
 * Of a type that is in no table there is only `value`, its bytes; fields that no table has are left out.
 * @param type full name of the message, such as `envoy.config.cluster.v3.Cluster`
 * @throws {WireError} the bytes are no such message
 */
export function describeResource(type: string, bytes: Uint8Array): DescribedResource {
  if (SCHEMA.message(type) === undefined) return { "@type": type, value: plain(bytes) };
  return { "@type": type, ...(plain(decodeMessage(SCHEMA, type, bytes)) as Readonly<Record<string, unknown>>) };
}

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
}
