/** Tells of every field that is right, accepted, and without effect in this version: silence would be a promise. */

import { specPath } from "../kind/schema.js";
import type { Problem } from "../problem.js";
import { formatPath, problemAt } from "../problem-at.js";
import type { Path, Resource } from "../resource.js";
import { isHonouredMeshField, NOT_HONOURED_FIELDS } from "./not-honoured-field.js";

const NOT_HONOURED = "IM0201";

/** One warning per field, in the order of the table. */
export function notHonoured(resource: Resource): Problem[] {
  const { kind, spec, origin, key } = resource;
  const base = specPath(kind);
  const problems: Problem[] = [];
  const tell = (path: Path, consequence: string) => {
    const name = formatPath(path.filter((part) => typeof part === "string").slice(-3));
    const message = `parsed but not honoured by this version: ${name}. ${consequence} Remove it, or do not rely on it.`;
    problems.push(
      problemAt(origin, [...base, ...path], { code: NOT_HONOURED, severity: "warning", message, resource: key }),
    );
  };
  for (const row of NOT_HONOURED_FIELDS) {
    if (row.kind !== kind) continue;
    for (const { path, value } of valuesAt(spec, row.path.split("."))) {
      if (row.unless?.(value) !== true) tell(path, row.consequence);
    }
  }
  if (kind === "MeshConfig") {
    for (const field of Object.keys(spec as object)) {
      if (!isHonouredMeshField(field)) tell([field], "Nothing in a process of ours acts on it.");
    }
  }
  return problems;
}

interface Found {
  readonly path: Path;
  readonly value: unknown;
}

/** Values that are there. An empty list asks for nothing; an empty object often for defaults. */
function valuesAt(spec: unknown, steps: readonly string[]): readonly Found[] {
  let found: readonly Found[] = [{ path: [], value: spec }];
  for (const step of steps) {
    const isList = step.endsWith("[]");
    const field = isList ? step.slice(0, -2) : step;
    const next: Found[] = [];
    for (const { path, value } of found) {
      const part = (value as Readonly<Record<string, unknown>>)[field];
      if (part === undefined || part === null) continue;
      if (!isList) next.push({ path: [...path, field], value: part });
      else
        for (const [index, item] of (part as readonly unknown[]).entries())
          next.push({ path: [...path, field, index], value: item });
    }
    if (next.length === 0) return next;
    found = next;
  }
  return found.filter(({ value }) => !Array.isArray(value) || value.length > 0);
}
