/** Documents by kind, oldest first. A list in which nothing changed stays the same object. */

import type { SpecByKind } from "../kind/schema.js";
import { KINDS, type Kind, type Resource } from "../resource.js";
import { compareAge, type ListChange } from "./order.js";

export type ResourcesByKind = { readonly [K in Kind]: readonly Resource<SpecByKind[K]>[] };

/** @param change what came and went since `previous` */
export function groupByKind({ removed, added }: ListChange<Resource>, previous: ResourcesByKind | undefined) {
  const lists = Object.fromEntries(
    KINDS.map((kind) => {
      const ofKind = (resource: Resource) => resource.kind === kind;
      return [kind, changedList(previous?.[kind] ?? [], removed.filter(ofKind), added.filter(ofKind))];
    }),
  );
  return lists as ResourcesByKind; // validated documents: the spec is its kind's
}

function changedList(
  before: readonly Resource[],
  removed: readonly Resource[],
  added: readonly Resource[],
): readonly Resource[] {
  if (removed.length === 0 && added.length === 0) return before;
  const gone = new Set(removed);
  const after = removed.length === 0 ? [...before] : before.filter((resource) => !gone.has(resource));
  if (added.length > after.length / 8) return [...after, ...added].sort(compareAge);
  for (const resource of added) after.splice(insertionIndex(after, resource), 0, resource);
  return after;
}

function insertionIndex(list: readonly Resource[], resource: Resource): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareAge(list[middle]!, resource) <= 0)
      low = middle + 1; // middle < high <= length
    else high = middle;
  }
  return low;
}
