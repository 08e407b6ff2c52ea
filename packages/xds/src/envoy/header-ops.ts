/** *_headers_to_add and *_headers_to_remove of one level. */

import type { HeaderOps, HeaderPair } from "@inmesh/model";
import type { Findings } from "./refusal.js";
import type { Fields } from "./schema.js";

export type HeaderToAdd = Fields<{
  header: Fields<{ key: string; value: string; raw_value: Uint8Array }>;
  append: boolean;
  append_action: string | number;
  keep_empty_value: boolean;
}>;

/** @returns undefined when nothing is to be done */
export function compileHeaderOps(
  toAdd: readonly HeaderToAdd[] = [],
  toRemove: readonly string[] = [],
  findings: Findings,
  where: string,
): HeaderOps | undefined {
  const set: HeaderPair[] = [];
  const add: HeaderPair[] = [];
  for (const { header = {}, append, append_action } of toAdd) {
    const name = (header.key ?? "").toLowerCase();
    const value = header.value ?? (header.raw_value ? Buffer.from(header.raw_value).toString("latin1") : "");
    const action = append_action ?? (append === false ? "OVERWRITE_IF_EXISTS_OR_ADD" : "APPEND_IF_EXISTS_OR_ADD");
    if (action === "OVERWRITE_IF_EXISTS_OR_ADD") set.push([name, value]);
    else if (action === "APPEND_IF_EXISTS_OR_ADD") add.push([name, value]);
    else findings.notHonoured(`${where}_to_add.append_action ${action}`);
  }
  const remove = toRemove.map((name) => name.toLowerCase());
  return set.length + add.length + remove.length === 0 ? undefined : { remove, set: sorted(set), add: sorted(add) };
}

/** Two levels as one, `outer` applied later: what it sets stands in place of the inner level's. */
export function mergeHeaderOps(inner: HeaderOps | undefined, outer: HeaderOps | undefined): HeaderOps | undefined {
  if (inner === undefined || outer === undefined) return inner ?? outer;
  return {
    remove: [...new Set([...inner.remove, ...outer.remove])],
    set: [...new Map([...inner.set, ...outer.set])],
    add: [...inner.add, ...outer.add],
  };
}

/** The order of different names says nothing, and istiod's is by chance. */
function sorted(pairs: readonly HeaderPair[]): readonly HeaderPair[] {
  return [...pairs].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}
