/** What this snapshot made, and what earlier ones made and may still hold: newest first, without copying maps at every change. */

/** Older maps are joined into one beyond this, so that a miss stays cheap. */
const MAX_MAPS = 8;

export class Generations<Value> {
  readonly #own = new Map<string, Value>();
  readonly #earlier: readonly ReadonlyMap<string, Value>[];
  readonly #limit: number;

  /** @param limit entries held before all are forgotten: names that requests bring must not grow it without end */
  constructor(previous?: Generations<Value>, limit = Number.POSITIVE_INFINITY) {
    this.#limit = limit;
    this.#earlier = previous === undefined ? [] : joined(previous.#own, previous.#earlier, limit);
  }

  get(key: string): Value | undefined {
    return this.#own.get(key);
  }

  /** Of the newest earlier snapshot that made one. */
  earlier(key: string): Value | undefined {
    for (const map of this.#earlier) {
      const found = map.get(key);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  set(key: string, value: Value): void {
    if (this.#own.size >= this.#limit) this.#own.clear();
    this.#own.set(key, value);
  }
}

function joined<Value>(
  own: ReadonlyMap<string, Value>,
  earlier: readonly ReadonlyMap<string, Value>[],
  limit: number,
): readonly ReadonlyMap<string, Value>[] {
  const maps = own.size === 0 ? earlier : [own, ...earlier];
  if (maps.length <= MAX_MAPS) return maps;
  const all = new Map<string, Value>();
  for (const map of [...maps].reverse()) for (const [key, value] of map) all.set(key, value);
  return all.size > limit ? [] : [all];
}
