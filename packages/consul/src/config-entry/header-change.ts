/** Changes of headers, as Consul merges them and as Envoy carries them out, in Istio's form. */

import type { HeaderChange } from "./config-entry.js";

export interface HeaderOperations {
  readonly set?: Readonly<Record<string, string>>;
  readonly add?: Readonly<Record<string, string>>;
  readonly remove?: readonly string[];
}

/** Of a splitter within a splitter: the inner one's values win, name by name. */
export function overridden(outer: HeaderChange, inner: HeaderChange | undefined): HeaderChange {
  if (inner === undefined) return outer;
  return {
    add: new Map([...outer.add, ...inner.add]),
    set: new Map([...outer.set, ...inner.set]),
    remove: [...new Set([...outer.remove, ...inner.remove])],
  };
}

/** One after the other as one: what `first` did to a header that `then` sets or removes is gone. */
export function inSequence(first: HeaderChange | undefined, then: HeaderChange | undefined): HeaderChange | undefined {
  if (first === undefined || then === undefined) return first ?? then;
  const removed = new Set(then.remove.map(lower));
  const replaced = new Set([...then.set.keys()].map(lower));
  const stays = ([name]: readonly [string, string]): boolean => !removed.has(lower(name)) && !replaced.has(lower(name));
  const set = new Map([...first.set].filter(stays));
  const add = new Map([...first.add].filter(stays));
  for (const [name, value] of then.set) set.set(name, value);
  for (const [name, value] of then.add) {
    const before = keyOf(add, name);
    if (before !== undefined && before === name) add.set(`${flipped(name)}`, value);
    else add.set(name, value);
  }
  return { set, add, remove: [...new Set([...first.remove, ...then.remove])] };
}

/** Undefined where nothing is done. Envoy adds before it sets, Istio sets before it adds: a header that is set is not added to. */
export function headerOperations(change: HeaderChange | undefined): HeaderOperations | undefined {
  if (change === undefined) return undefined;
  const { set, remove } = change;
  const isSet = new Set([...set.keys()].map(lower));
  const add = [...change.add].filter(([name]) => !isSet.has(lower(name)));
  if (set.size + add.length + remove.length === 0) return undefined;
  return {
    ...(set.size > 0 && { set: Object.fromEntries(set) }),
    ...(add.length > 0 && { add: Object.fromEntries(add) }),
    ...(remove.length > 0 && { remove: [...remove] }),
  };
}

function keyOf(map: ReadonlyMap<string, string>, name: string): string | undefined {
  return [...map.keys()].find((each) => lower(each) === lower(name));
}

/** A map of names holds two values of one header under two spellings. */
function flipped(name: string): string {
  return name === name.toUpperCase() ? name.toLowerCase() : name.toUpperCase();
}

function lower(text: string): string {
  return text.toLowerCase();
}
