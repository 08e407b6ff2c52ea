/** Header operations in Envoy's order: removals, then `set` by name, then `add` by name. policy-semantics §1.6. */

import type { HeaderOperationsSpec } from "../kind/virtual-service.js";
import type { HeaderOps, HeaderPair } from "../snapshot/route.js";

/** Undefined when nothing is to be done. Pseudo headers are no headers: `authorityOf` takes the one that means something. */
export function compileHeaderOps(spec: HeaderOperationsSpec | undefined): HeaderOps | undefined {
  if (spec === undefined) return undefined;
  const remove = (spec.remove ?? []).map((name) => name.toLowerCase()).filter(isPlainHeader);
  const set = pairs(spec.set);
  const add = pairs(spec.add);
  return remove.length + set.length + add.length === 0 ? undefined : { remove, set, add };
}

/**
 * Two levels as one, `inner` later. A `set` of the inner level replaces the outer one's; an `add` of either follows every
 * `set`: Envoy evaluates one list per level, and a single destination shares the rule's.
 */
export function mergeHeaderOps(outer: HeaderOps | undefined, inner: HeaderOps | undefined): HeaderOps | undefined {
  if (outer === undefined || inner === undefined) return outer ?? inner;
  const set = new Map([...outer.set, ...inner.set]);
  return {
    remove: [...new Set([...outer.remove, ...inner.remove])],
    set: [...set],
    add: [...outer.add, ...inner.add],
  };
}

/** `Host` or `:authority` among the operations is a rewrite of the host; `set` counts before `add`. */
export function authorityOf(spec: HeaderOperationsSpec | undefined): string | undefined {
  return authorityIn(spec?.set) ?? authorityIn(spec?.add);
}

function authorityIn(values: Readonly<Record<string, string>> | undefined): string | undefined {
  for (const [name, value] of Object.entries(values ?? {}))
    if (isAuthority(name.toLowerCase())) return value.trim() || value;
  return undefined;
}

function pairs(values: Readonly<Record<string, string>> = {}): readonly HeaderPair[] {
  return Object.entries(values)
    .map(([name, value]): HeaderPair => [name.toLowerCase(), asSent(value)])
    .filter(([name]) => isPlainHeader(name))
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/**
 * Without the blanks around it, which nobody who receives it would see. Text beyond ASCII goes out as its bytes in UTF-8, as
 * from Envoy: to Node a header's characters are bytes, and a character that is none would fail the call.
 */
function asSent(value: string): string {
  const text = value.trim() || value;
  return Buffer.byteLength(text) === text.length ? text : Buffer.from(text, "utf8").toString("latin1");
}

function isPlainHeader(name: string): boolean {
  return !name.startsWith(":") && !isAuthority(name);
}

function isAuthority(name: string): boolean {
  return name === "host" || name === ":authority";
}
