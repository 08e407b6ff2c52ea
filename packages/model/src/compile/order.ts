/** Orders that policy semantics rest on, and reuse of lists that did not change. */

import type { Resource } from "../resource.js";

/**
 * Older first: creationTimestamp, then the order of the registry where it keeps one, then name, then namespace. Without a
 * timestamp: after those that have one. policy-semantics §0.1.
 */
export function compareAge(a: Resource, b: Resource): number {
  const age = compareCreation(a, b);
  if (age !== 0) return age;
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return a.namespace < b.namespace ? -1 : a.namespace > b.namespace ? 1 : 0;
}

/** 0 for two of which neither the documents nor their registry say which was first. */
export function compareCreation(a: Resource, b: Resource): number {
  const timeA = a.metadata.creationTimestamp ?? "~"; // sorts behind every digit
  const timeB = b.metadata.creationTimestamp ?? "~";
  if (timeA !== timeB) return timeA < timeB ? -1 : 1;
  const { order: orderA = Number.MAX_VALUE } = a.origin;
  const { order: orderB = Number.MAX_VALUE } = b.origin;
  return orderA - orderB;
}

/** `previous` when both hold the same objects in the same order, so that identity says "unchanged". */
export function sameList<Item>(previous: readonly Item[] | undefined, next: readonly Item[]): readonly Item[] {
  if (previous === undefined || previous.length !== next.length) return next;
  for (let index = 0; index < next.length; index++) if (previous[index] !== next[index]) return next;
  return previous;
}

export interface ListChange<Item> {
  readonly removed: readonly Item[];
  readonly added: readonly Item[];
}

/**
 * What changed between two lists, by identity. One look at each item: a single change among many thousand is found
 * between the common beginning and the common end.
 */
export function listChange<Item>(before: readonly Item[], after: readonly Item[]): ListChange<Item> {
  let start = 0;
  const shorter = Math.min(before.length, after.length);
  while (start < shorter && before[start] === after[start]) start += 1;
  let endBefore = before.length;
  let endAfter = after.length;
  while (endBefore > start && endAfter > start && before[endBefore - 1] === after[endAfter - 1]) {
    endBefore -= 1;
    endAfter -= 1;
  }
  const removed = before.slice(start, endBefore);
  const added = after.slice(start, endAfter);
  if (removed.length === 0 || added.length === 0) return { removed, added };
  const old = new Set(removed);
  const young = new Set(added);
  return { removed: removed.filter((item) => !young.has(item)), added: added.filter((item) => !old.has(item)) };
}
