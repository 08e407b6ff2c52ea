/** Turns what a schema refuses into messages with a way out. */

import * as z from "zod/mini";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";
import { nearestName } from "./nearest-name.js";
import type { Report } from "./report.js";

/** @param path of `value` in the document */
export function reportSchemaFaults(schema: z.ZodMiniType, value: unknown, path: Path, report: Report): void {
  const result = schema.safeParse(value);
  if (result.success) return;
  for (const issue of result.error.issues) reportIssue(issue, schema, value, path, report);
}

function reportIssue(issue: z.core.$ZodIssue, schema: z.ZodMiniType, value: unknown, path: Path, report: Report): void {
  const inner = issue.path.filter((part) => typeof part !== "symbol");
  const at = [...path, ...inner];
  const found = quote(valueAt(value, inner));
  switch (issue.code) {
    case "unrecognized_keys": {
      const known = fieldsAt(schema, inner);
      for (const key of issue.keys) report.error([...at, key], unknownField(key, known));
      return;
    }
    case "invalid_type":
      return report.error(
        at,
        `found ${found}, expected ${typeName(issue.expected)}. ${typeAdvice(issue.expected, valueAt(value, inner))}`,
      );
    case "invalid_value": {
      const values = issue.values.filter((option) => typeof option === "string");
      const near =
        typeof valueAt(value, inner) === "string" ? nearestName(String(valueAt(value, inner)), values) : undefined;
      return report.error(
        at,
        `found ${found}, expected one of ${values.join(", ")}. ${near === undefined ? "Choose one." : `Did you mean ${near}?`}`,
      );
    }
    case "too_small":
      return report.error(at, `found ${found}, expected at least ${issue.minimum}. Correct it.`);
    case "too_big":
      return report.error(at, `found ${found}, expected at most ${issue.maximum}. Correct it.`);
    case "invalid_union":
      return report.error(at, `found ${found}, expected a number or a string. Correct it.`);
    default:
      return report.error(
        at,
        issue.code === "custom"
          ? customMessage(issue.message, found)
          : `found ${found}, which is not valid. Correct it.`,
      );
  }
}

/** Messages of field.ts begin with what was expected; what was found is known here. */
function customMessage(message: string, found: string): string {
  return message.startsWith("expected") ? `found ${found}, ${message}` : message;
}

function unknownField(key: string, known: readonly string[]): string {
  const near = nearestName(key, known);
  if (near !== undefined) return `unknown field ${quote(key)}; the document is refused. Did you mean "${near}"?`;
  const list = known.length > 12 ? `${known.slice(0, 12).join(", ")}, …` : known.join(", ");
  return `unknown field ${quote(key)}; the document is refused. Remove it${list === "" ? "" : `; known here: ${list}`}.`;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: "a string",
  int: "a whole number",
  number: "a number",
  boolean: "true or false",
  object: "an object",
  record: "an object",
  array: "a list",
};

function typeName(expected: string): string {
  return TYPE_NAMES[expected] ?? expected;
}

function typeAdvice(expected: string, found: unknown): string {
  if (expected === "string" && (typeof found === "number" || typeof found === "boolean"))
    return `Quote it: "${String(found)}".`;
  if (expected === "array") return 'Begin each item with "- ".';
  if (expected === "boolean" && typeof found === "string") return "Write true or false, without quotes.";
  if ((expected === "int" || expected === "number") && typeof found === "string") return "Write it without quotes.";
  return found === undefined ? "Add the field." : "Correct it.";
}

function valueAt(value: unknown, path: Path): unknown {
  let current = value;
  for (const part of path) {
    if (typeof current !== "object" || current === null || !Object.hasOwn(current, part)) return undefined;
    current = (current as Readonly<Record<string | number, unknown>>)[part];
  }
  return current;
}

/** Field names that the schema knows where `path` leads. */
function fieldsAt(schema: z.ZodMiniType, path: Path): readonly string[] {
  let current = unwrap(schema);
  for (const part of path) {
    if (current instanceof z.ZodMiniObject) current = unwrap(current.shape[part] as z.ZodMiniType | undefined);
    else if (current instanceof z.ZodMiniArray) current = unwrap(current.def.element as z.ZodMiniType);
    else if (current instanceof z.ZodMiniRecord) current = unwrap(current.def.valueType as z.ZodMiniType);
    else return [];
  }
  return current instanceof z.ZodMiniObject ? Object.keys(current.shape) : [];
}

function unwrap(schema: z.ZodMiniType | undefined): z.ZodMiniType | undefined {
  if (schema instanceof z.ZodMiniLazy) return unwrap(schema._zod.innerType as z.ZodMiniType);
  const isWrapper = schema instanceof z.ZodMiniOptional || schema instanceof z.ZodMiniNullable;
  return isWrapper ? unwrap(schema.def.innerType as z.ZodMiniType) : schema;
}
