/** Documents as istiod would send them: the way back of `apiResourceType`. */

import { ISTIO } from "../generated/istio.js";
import { encodeMessage } from "../proto/encode.js";
import { type FieldType, Schema } from "../proto/schema.js";
import { WRAPPERS } from "../proto/well-known.js";
import { API_KINDS, type ApiKind } from "./kinds.js";

export const SCHEMA = new Schema(ISTIO);

interface Written {
  readonly kind: string;
  readonly metadata: Readonly<Record<string, unknown>> & { readonly name: string; readonly namespace?: string };
  readonly spec?: unknown;
}

/** @param document as somebody wrote it: an Istio resource */
export function onTheWire(document: Written): { readonly kind: ApiKind; readonly bytes: Uint8Array } {
  const kind = API_KINDS.find((one) => one.kind === document.kind);
  if (kind === undefined) throw new Error(`istiod has no ${document.kind}`);
  const { name, namespace = "default", labels, annotations, creationTimestamp } = document.metadata;
  const metadata = { name: `${namespace}/${name}`, labels, annotations, createTime: creationTimestamp };
  const body = { "@type": kind.message, ...(sent(kind.message, document.spec ?? {}) as object) };
  return { kind, bytes: encodeMessage(SCHEMA, "istio.mcp.v1alpha1.Resource", { metadata, body }) };
}

/** What is left of a value in a message: its zeros are not sent, and durations have one form. */
export function sent(type: string, value: unknown): unknown {
  if (type === "google.protobuf.Duration") return protobufDuration(String(value));
  const message = SCHEMA.message(type);
  if (message === undefined || typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).flatMap(([name, each]): [string, unknown][] => {
    const field = message.byName.get(name);
    if (field === undefined) throw new Error(`${type} has no field ${name}`);
    if (each === null || isZero(field, each)) return [];
    if (field.mapKey !== undefined) {
      return [
        [name, Object.fromEntries(Object.entries(each as object).map(([key, one]) => [key, sent(field.type, one)]))],
      ];
    }
    return [[name, field.repeated ? (each as unknown[]).map((one) => sent(field.type, one)) : sent(field.type, each)]];
  });
  return Object.fromEntries(fields);
}

function isZero({ kind, type, repeated, mapKey, oneof }: FieldType, value: unknown): boolean {
  if (mapKey !== undefined) return Object.keys(value as object).length === 0;
  if (repeated) return (value as unknown[]).length === 0;
  if (kind === "message" || WRAPPERS[type] !== undefined || oneof !== undefined) return false;
  if (kind === "enum") return (SCHEMA.enumeration(type).byName.get(String(value)) ?? value) === 0;
  return value === 0 || value === "" || value === false;
}

const UNITS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
};

/** `1h30m`, as Go and people write it, in seconds. */
function protobufDuration(text: string): string {
  let ms = 0;
  for (const [, count, unit = ""] of text.matchAll(/([\d.]+)(h|ms|m|us|µs|ns|s)/g))
    ms += Number(count) * (UNITS[unit] ?? 0);
  const nanos = Math.round(ms * 1e6);
  const fraction = String(nanos % 1e9)
    .padStart(9, "0")
    .replace(/0+$/, "");
  return `${text.startsWith("-") ? "-" : ""}${Math.floor(nanos / 1e9)}${fraction === "" ? "" : `.${fraction}`}s`;
}
