/** An aggregated stream without a stream: a test says what the server answers. */

import type { ResourceType, Watch, WatchOptions, XdsClient, XdsStatus } from "./watch.js";

interface Watched {
  readonly type: ResourceType<unknown>;
  readonly names: Set<string> | "*";
  readonly options: WatchOptions<unknown>;
  readonly held: Map<string, { readonly bytes: Uint8Array; readonly value: unknown }>;
}

export class FakeXdsClient implements XdsClient {
  readonly #watches: Watched[] = [];
  readonly #listeners = new Set<(status: XdsStatus) => void>();
  #status: XdsStatus = { state: "connecting", since: 0, server: "istiod:15010", resources: [] };
  closed = false;

  get status(): XdsStatus {
    return this.#status;
  }

  /** Names that are asked for, by type: `*` alone where it is all. */
  asked(url: string): readonly string[] {
    return this.#watches.filter(({ type }) => type.url === url).flatMap(({ names }) => [...names]);
  }

  watch<Value>(type: ResourceType<Value>, options: WatchOptions<Value>): Watch {
    const names = options.names === "*" ? "*" : new Set(options.names);
    const watched = { type, names, options: options as WatchOptions<unknown>, held: new Map() } as Watched;
    this.#watches.push(watched);
    return {
      add: (added) => {
        if (names !== "*") for (const name of added) names.add(name);
      },
      remove: (gone) => {
        if (names !== "*") for (const name of gone) names.delete(name);
      },
      close: () => void this.#watches.splice(this.#watches.indexOf(watched), 1),
    };
  }

  /** One answer. Resources by name; undefined: there is none of it. */
  answer(url: string, resources: ReadonlyMap<string, Uint8Array | undefined>): void {
    this.state("fresh");
    for (const { type, names, options, held } of this.#watches.filter((watch) => watch.type.url === url)) {
      const changed = new Map<string, unknown>();
      const removed = new Set<string>();
      for (const [name, bytes] of resources) {
        if (names !== "*" && !names.has(name)) continue;
        if (bytes === undefined) {
          held.delete(name);
          removed.add(name);
          continue;
        }
        const before = held.get(name);
        if (before !== undefined && Buffer.compare(before.bytes, bytes) === 0) continue;
        const value = type.decode(bytes, name, { sent: { read: () => bytes }, before: before?.value });
        held.set(name, { bytes, value });
        if (before === undefined || type.same?.(before.value, value) !== true) changed.set(name, value);
      }
      if (type.wholeState)
        for (const name of held.keys()) if (!resources.has(name) && held.delete(name)) removed.add(name);
      options.onChanges({ changed, removed });
    }
  }

  state(state: XdsStatus["state"], reason?: string): void {
    this.#status = { ...this.#status, state, ...(reason !== undefined && { reason }) };
    for (const listener of this.#listeners) listener(this.#status);
  }

  onState(listener: (status: XdsStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}
