/** Where the documents of a snapshot say something. */

import type { Position, ResourceRef, RuleRef, Snapshot } from "@inmesh/model";
import { resourceKey } from "@inmesh/model";
import type { ExplainedPlace } from "./explanation.js";

/** @param path `spec.http[2].timeout` */
export function placeIn(snapshot: Snapshot, resource: ResourceRef | null, path: string): ExplainedPlace {
  const key = resource === null ? null : resourceKey(resource);
  const origin = key === null ? undefined : snapshot.resource?.(key)?.origin;
  const { line, column }: Position = origin?.locate(pathParts(path)) ?? { line: 0, column: 0 };
  return { resource: key, path, file: origin?.file ?? "", line, column };
}

/** A rule as its document holds it, and its path. Undefined where policy arrives compiled. */
export interface WrittenRule extends RuleRef {
  readonly value: Readonly<Record<string, unknown>>;
}

/** @param ref its path may go on to one of the rule's alternatives */
export function writtenRule(snapshot: Snapshot, { resource, path }: RuleRef): WrittenRule | undefined {
  const rulePath = path.replace(/\.match(?:es)?\[\d+\]$/, "");
  const value = valueAt(snapshot.resource?.(resourceKey(resource)), rulePath);
  if (typeof value !== "object" || value === null) return undefined;
  return { resource, path: rulePath, value: value as Record<string, unknown> };
}

/** Undefined where nothing is written. */
export function valueAt(value: unknown, path: string): unknown {
  return pathParts(path).reduce<unknown>((at, part) => (at as Record<string | number, unknown> | null)?.[part], value);
}

/** `spec.http[2].match[0]` as the parts a position is looked up by. */
export function pathParts(path: string): readonly (string | number)[] {
  return [...path.matchAll(/([^.[\]]+)|\[(\d+)\]/g)].map(([, word, index]) => word ?? Number(index));
}
