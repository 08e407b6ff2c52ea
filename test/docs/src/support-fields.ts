/** Every field of every kind, from the schemas, as the support table names them. */

import type { Kind } from "@inmesh/model";
import { meshConfigJsonSchema, policyJsonSchema } from "@inmesh/model/internal";

interface Schema {
  readonly type?: string;
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
}

/** Below the spec: `http[].match[].uri.exact`. The same block in several places is listed where it is first. */
export function fieldsByKind(): ReadonlyMap<Kind, readonly string[]> {
  const { allOf } = policyJsonSchema() as {
    readonly allOf: readonly {
      readonly if: { readonly properties: { readonly kind: { readonly const: Kind } } };
      readonly then: Schema;
    }[];
  };
  const byKind = new Map<Kind, readonly string[]>();
  for (const { if: condition, then } of allOf) {
    const kind = condition.properties.kind.const;
    const paths = leaves(then.properties?.["spec"] ?? {}, "").map((path) => canonical(kind, path));
    byKind.set(kind, [...new Set(paths)]);
  }
  // The head that a MeshConfig may have is not part of it.
  const { apiVersion: _, kind: __, metadata: ___, ...mesh } = (meshConfigJsonSchema() as Schema).properties ?? {};
  byKind.set("MeshConfig", leaves({ properties: mesh }, ""));
  return byKind;
}

/** Policy of a DestinationRule means the same for the service, a subset and a port. */
export function canonical(kind: Kind, path: string): string {
  if (kind !== "DestinationRule") return path;
  return path
    .replace(/^subsets\[\]\.trafficPolicy/, "trafficPolicy")
    .replace(/^(trafficPolicy)\.portLevelSettings\[\]\.(?!port)/, "$1.");
}

function leaves(schema: Schema, path: string): readonly string[] {
  const { type, items, properties, anyOf } = schema;
  const known = anyOf?.find((each) => each.type !== "null");
  if (known !== undefined) return leaves(known, path);
  if (type === "array") return leaves(items ?? {}, `${path}[]`);
  if (properties === undefined) return [path.replace(/\[\]$/, "")];
  return Object.entries(properties).flatMap(([name, part]) => leaves(part, path === "" ? name : `${path}.${name}`));
}

/** Every path at which a document says something, its own ancestors included. */
export function pathsIn(kind: Kind, value: unknown, path = ""): readonly string[] {
  const here = path === "" ? [] : [canonical(kind, path).replace(/\[\]$/, "")];
  if (Array.isArray(value)) return [...here, ...value.flatMap((item) => pathsIn(kind, item, `${path}[]`))];
  if (typeof value !== "object" || value === null) return here;
  const parts = Object.entries(value).flatMap(([name, part]) =>
    pathsIn(kind, part, path === "" ? name : `${path}.${name}`),
  );
  return [...here, ...parts];
}

/** @param path of a row: a field, or everything below one */
export function isBelow(field: string, path: string): boolean {
  return field === path || field.startsWith(`${path}.`) || field.startsWith(`${path}[`);
}
