/** A document back into YAML, for `get`, `apply` and leases. */

import { Document as YamlDocument } from "yaml";

/** Keys in the order that people write resources in, the rest as given; no anchors, no line folding. */
export function stringifyDocument(value: Readonly<Record<string, unknown>>): string {
  const ordered: Record<string, unknown> = Object.create(null);
  for (const key of ["apiVersion", "kind", "metadata", "spec"]) if (value[key] !== undefined) ordered[key] = value[key];
  for (const [key, field] of Object.entries(value)) if (!Object.hasOwn(ordered, key)) ordered[key] = field;
  return new YamlDocument(ordered, { aliasDuplicateObjects: false }).toString({ lineWidth: 0 });
}
