/** Tells of every field that is right, accepted, and without effect in this version: silence would be a promise. */

import { specPath } from "../kind/schema.js";
import type { Problem } from "../problem.js";
import { formatPath, problemAt } from "../problem-at.js";
import type { Kind, Path, Resource } from "../resource.js";
import { isKnownMeshField, NOT_HONOURED_FIELDS, type NotHonouredField } from "./not-honoured-field.js";

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
  for (const { field, steps } of STEPS.get(kind) ?? []) {
    eachValue(spec, steps, 0, [], (path, value) => {
      if (field.unless?.(value) !== true) tell(path, field.consequence);
    });
  }
  if (kind === "MeshConfig") {
    eachUnknown(spec as object, [], "", (path) => tell(path, "Nothing in a process of ours acts on it."));
  }
  return problems;
}

/** One field of a path: `subsets[]` is every item of a list. */
interface Step {
  readonly name: string;
  readonly isList: boolean;
}

interface FieldSteps {
  readonly field: NotHonouredField;
  readonly steps: readonly Step[];
}

const STEPS = stepsByKind();

function stepsByKind(): ReadonlyMap<Kind, readonly FieldSteps[]> {
  const byKind = new Map<Kind, FieldSteps[]>();
  for (const field of NOT_HONOURED_FIELDS) {
    const steps = field.path.split(".").map((step): Step => {
      const isList = step.endsWith("[]");
      return { name: isList ? step.slice(0, -2) : step, isList };
    });
    const fields = byKind.get(field.kind);
    if (fields === undefined) byKind.set(field.kind, [{ field, steps }]);
    else fields.push({ field, steps });
  }
  return byKind;
}

/** Fields of MeshConfig that nothing acts on, the outermost one that is all of that kind. */
function eachUnknown(value: object, path: Path, name: string, found: (path: Path) => void): void {
  for (const [key, part] of Object.entries(value)) {
    const field = name === "" ? key : `${name}.${key}`;
    const known = isKnownMeshField(field);
    if (known === false) found([...path, key]);
    if (known !== "partly" || typeof part !== "object" || part === null) continue;
    if (!Array.isArray(part)) eachUnknown(part, [...path, key], field, found);
    else for (const [index, item] of part.entries()) eachUnknown(item, [...path, key, index], `${field}[]`, found);
  }
}

/** Values that are there. An empty list asks for nothing; an empty object often for defaults. */
function eachValue(
  value: unknown,
  steps: readonly Step[],
  at: number,
  path: Path,
  found: (path: Path, value: unknown) => void,
): void {
  const step = steps[at];
  if (step === undefined) {
    if (!Array.isArray(value) || value.length > 0) found(path, value);
    return;
  }
  const part = (value as Readonly<Record<string, unknown>>)[step.name];
  if (part === undefined || part === null) return;
  if (!step.isList) return eachValue(part, steps, at + 1, [...path, step.name], found);
  for (const [index, item] of (part as readonly unknown[]).entries()) {
    eachValue(item, steps, at + 1, [...path, step.name, index], found);
  }
}
