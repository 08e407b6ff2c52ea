/** A field that is written as null is a field left out; in a map, null stays what it is: a value that is wrong. */

import * as z from "zod/mini";

/** The value itself when it holds no null, else a copy without the null fields that `schema` knows as fields. */
export function withoutNullFields(value: unknown, schema: z.ZodMiniType): unknown {
  return holdsNull(value) ? prune(value, schema) : value;
}

function holdsNull(value: unknown): boolean {
  if (value === null) return true;
  if (typeof value !== "object") return false;
  if (Array.isArray(value)) return value.some(holdsNull);
  for (const key in value) if (holdsNull((value as Readonly<Record<string, unknown>>)[key])) return true;
  return false;
}

function prune(value: unknown, schema: unknown): unknown {
  if (schema instanceof z.ZodMiniLazy) return prune(value, schema._zod.innerType);
  if (schema instanceof z.ZodMiniOptional || schema instanceof z.ZodMiniNullable)
    return prune(value, schema.def.innerType);
  if (Array.isArray(value)) {
    return schema instanceof z.ZodMiniArray ? value.map((item) => prune(item, schema.def.element)) : value;
  }
  if (typeof value !== "object" || value === null) return value;
  const copy: Record<string, unknown> = Object.create(null);
  for (const [key, part] of Object.entries(value)) {
    if (schema instanceof z.ZodMiniObject) {
      if (part !== null || !Object.hasOwn(schema.shape, key)) copy[key] = prune(part, schema.shape[key]);
    } else copy[key] = schema instanceof z.ZodMiniRecord ? prune(part, schema.def.valueType) : part;
  }
  return copy;
}
