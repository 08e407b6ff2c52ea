/** What changed inside a document, field by field. */

import { isDeepStrictEqual } from "node:util";
import type { Document, Path } from "@inmesh/model";

export interface FieldChange {
  readonly path: Path;
  /** Undefined: the field is new. */
  readonly from: unknown;
  /** Undefined: the field is gone. */
  readonly to: unknown;
}

/** In the order of the newer document, what is gone first. Fields that only a registry writes are left out. */
export function fieldChanges(before: Document, after: Document): FieldChange[] {
  return changes(comparable(before), comparable(after), []);
}

export function sameContent(a: Document, b: Document): boolean {
  return isDeepStrictEqual(comparable(a), comparable(b));
}

/** `apply` writes the creation time; and a namespace means the same whether it is written or not. */
function comparable(document: Document): Readonly<Record<string, unknown>> {
  const { metadata } = document.value;
  const { creationTimestamp: _, ...rest } = isObject(metadata) ? metadata : {};
  return { ...document.value, metadata: { ...rest, namespace: document.namespace } };
}

/** Of any plain data; maps are compared by key, lists in order. */
export function changes(from: unknown, to: unknown, path: Path = []): FieldChange[] {
  if (isDeepStrictEqual(from, to)) return [];
  if (Array.isArray(from) && Array.isArray(to)) return listChanges(from, to, path);
  if (isObject(from) && isObject(to)) {
    const gone = Object.keys(from).filter((key) => !Object.hasOwn(to, key));
    return [...gone, ...Object.keys(to)].flatMap((key) =>
      changes(Object.hasOwn(from, key) ? from[key] : undefined, Object.hasOwn(to, key) ? to[key] : undefined, [
        ...path,
        key,
      ]),
    );
  }
  return [{ path, from, to }];
}

/** What both lists begin and end with stands still, so that one more rule at the top is one change and not all of them. */
function listChanges(from: readonly unknown[], to: readonly unknown[], path: Path): FieldChange[] {
  if (from.length === to.length) return to.flatMap((item, at) => changes(from[at], item, [...path, at]));
  const shorter = Math.min(from.length, to.length);
  let head = 0;
  while (head < shorter && isDeepStrictEqual(from[head], to[head])) head += 1;
  let tail = 0;
  while (tail < shorter - head && isDeepStrictEqual(from[from.length - 1 - tail], to[to.length - 1 - tail])) tail += 1;
  const gone = from.slice(head, from.length - tail);
  const come = to.slice(head, to.length - tail);
  const count = Math.max(gone.length, come.length);
  return Array.from({ length: count }, (_, at) => changes(gone[at], come[at], [...path, head + at])).flat();
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
