/** One kind of resource as it was told so far, in maps that are new objects whenever something in them is another. */

import type { ResourceType, Watch, XdsClient } from "../client/watch.js";

export class Watched<Value> {
  /** By name. */
  values: ReadonlyMap<string, Value> = new Map();
  /** Names of which the control plane says that there is nothing. */
  missing: ReadonlySet<string> = new Set();
  /** Something was told, if only that there is nothing. */
  told = false;
  readonly #watch: Watch;
  readonly #names = new Set<string>();

  /** @param removed what becomes of one that is gone: it stays where this returns something */
  constructor(
    client: XdsClient,
    type: ResourceType<Value>,
    names: readonly string[] | "*",
    { removed, changed }: { readonly removed: (name: string) => Value | undefined; readonly changed: () => void },
  ) {
    this.#watch = client.watch(type, {
      names,
      onChanges: (changes) => {
        this.told = true;
        if (changes.changed.size + changes.removed.size === 0) return changed();
        const values = new Map([...this.values, ...changes.changed]);
        const missing = new Set(this.missing);
        for (const name of changes.changed.keys()) missing.delete(name);
        for (const name of changes.removed) {
          missing.add(name);
          const kept = removed(name);
          if (kept === undefined) values.delete(name);
          else values.set(name, kept);
        }
        this.values = values;
        if (missing.size !== this.missing.size || changes.removed.size > 0) this.missing = missing;
        changed();
      },
    });
  }

  /** Whether the control plane has said something about it. */
  knows(name: string): boolean {
    return this.values.has(name) || this.missing.has(name);
  }

  /** Exactly these from now on. */
  want(names: ReadonlySet<string>): void {
    const added = [...names].filter((name) => !this.#names.has(name));
    const gone = [...this.#names].filter((name) => !names.has(name));
    if (added.length > 0) this.#watch.add(added);
    if (gone.length > 0) this.#forget(gone);
    for (const name of added) this.#names.add(name);
  }

  close(): void {
    this.#watch.close();
  }

  #forget(names: readonly string[]): void {
    this.#watch.remove(names);
    const values = new Map(this.values);
    const missing = new Set(this.missing);
    for (const name of names) {
      this.#names.delete(name);
      values.delete(name);
      missing.delete(name);
    }
    this.values = values;
    this.missing = missing;
  }
}
