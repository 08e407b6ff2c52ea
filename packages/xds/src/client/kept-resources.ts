/**
 * What a control plane told, kept on disk for a start while it is away: by what is watched, and as it came. Whoever watches sees a
 * client like any other; what is kept stands in for answers that do not come, and the first real one takes its place.
 */

import type { Clock, Timer } from "@inmesh/core";
import type { KeptResource, StateFile } from "@inmesh/core/internal";
import type {
  ResourceChanges,
  ResourceStatus,
  ResourceType,
  SentBytes,
  Watch,
  WatchOptions,
  XdsClient,
} from "./watch.js";

export interface KeptResourcesOptions {
  /** Closed with this. */
  readonly state: Pick<StateFile, "load" | "save" | "refresh" | "close">;
  readonly clock: Clock;
}

/** How long a control plane that does not answer is waited for, and between two looks at whether it has been given up before; in ms. */
const [PATIENCE_MS, LOOK_MS] = [1_000, 50];
/** An answer in several parts is whole after this, in ms: what it lacks is gone. */
const PARTS_MS = 1_000;
/** Endpoints change often, and all is written each time: in ms. */
const SAVE_MS = 5_000;
const [REFRESH_MS, MAX_AGE_MS] = [6 * 3_600_000, 7 * 24 * 3_600_000];

/** In place of a version, which nobody has given it in this run. */
const KEPT = "kept from an earlier run";

type Key = string;

export class KeptResources {
  readonly #options: KeptResourcesOptions;
  /** As earlier runs left them, and this one has not heard of yet. */
  readonly #kept = new Map<Key, KeptResource>();
  /** As this run was told. */
  readonly #told = new Map<Key, KeptResource>();
  readonly #watches = new Set<KeptWatch>();
  readonly #clients = new Set<XdsClient>();
  readonly #timers = new Set<Timer>();
  #save: Timer | undefined;
  #savedAt: number | undefined;
  /** Nobody waits any longer for a control plane that is not there. */
  #away = false;
  #closed = false;

  constructor(options: KeptResourcesOptions) {
    this.#options = options;
    const { state, clock } = options;
    this.#timers.add(clock.every(REFRESH_MS, () => state.refresh()));
    const began = clock.now();
    void state.load().then((saved) => {
      if (saved === undefined || this.#closed) return;
      for (const resource of saved.resources ?? []) {
        const { since = saved.savedAt } = resource;
        const isNeeded = clock.wallTime() - since <= MAX_AGE_MS && !this.#told.has(keyOf(resource));
        if (isNeeded) this.#kept.set(keyOf(resource), { ...resource, since });
      }
      this.#savedAt = saved.savedAt;
      const timer = clock.every(LOOK_MS, () => {
        const isStale = [...this.#clients].some(({ status }) => status.state === "stale");
        if (!isStale && clock.now() - began < PATIENCE_MS) return;
        timer.cancel();
        this.#away = true;
        for (const watch of this.#watches) watch.standIn();
      });
      this.#timers.add(timer);
    });
  }

  /** Wall time of what stands in for answers now, ms since 1970; undefined: nothing does. */
  get standsInSince(): number | undefined {
    return [...this.#watches].some(({ standsIn }) => standsIn) ? this.#savedAt : undefined;
  }

  /**
   * What the process goes by instead of answers, beside what its streams were told: asked for still, and in use as an earlier
   * run had it. Of one that a stream knows nothing good of, this is the one to be shown.
   */
  shown(told: readonly ResourceStatus[]): readonly ResourceStatus[] {
    const standIns = new Map([...this.#watches].flatMap((watch) => watch.shown()).map((each) => [placeOf(each), each]));
    if (standIns.size === 0) return told;
    const all = told.map((each) => {
      const standIn = standIns.get(placeOf(each));
      if (standIn === undefined) return each;
      standIns.delete(placeOf(each));
      return each.bytes === undefined ? { ...standIn, ...each, version: KEPT, updatedAt: standIn.updatedAt } : each;
    });
    return [...all, ...standIns.values()];
  }

  /** @param stream tells apart what several of them are told */
  around(client: XdsClient, stream: string): XdsClient {
    this.#clients.add(client);
    return {
      get status() {
        return client.status;
      },
      onState: (listener) => client.onState(listener),
      watch: (type, options) => this.#watch(client, stream, type, options),
      close: async () => {
        this.#clients.delete(client);
        await client.close();
      },
    };
  }

  /** Writes what is still to be written. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers) timer.cancel();
    for (const watch of this.#watches) watch.forget();
    if (this.#save !== undefined) this.#write();
    await this.#options.state.close();
  }

  #watch<Value>(client: XdsClient, stream: string, type: ResourceType<Value>, options: WatchOptions<Value>): Watch {
    const key = (name: string): Key => keyOf({ stream, type: type.url, name });
    const watch = new KeptWatch<Value>({
      ...{ client, type, options, clock: this.#options.clock },
      kept: (name) => this.#kept.get(key(name)),
      keptNames: () =>
        [...this.#kept.values()]
          .filter((each) => each.stream === stream && each.type === type.url)
          .map(({ name }) => name),
      tell: (name, sent) => {
        this.#kept.delete(key(name));
        if (sent === undefined) this.#told.delete(key(name));
        else this.#told.set(key(name), new ToldResource(stream, type.url, name, sent));
        this.#save ??= this.#options.clock.after(SAVE_MS, () => this.#write());
      },
    });
    this.#watches.add(watch as KeptWatch);
    if (this.#away) queueMicrotask(() => watch.standIn());
    return {
      add: (names) => watch.add(names),
      remove: (names) => watch.remove(names),
      close: () => {
        this.#watches.delete(watch as KeptWatch);
        watch.close();
      },
    };
  }

  #write(): void {
    this.#save?.cancel();
    this.#save = undefined;
    this.#options.state.save({
      documents: [],
      leases: [],
      resources: [...this.#told.values(), ...this.#kept.values()],
    });
  }
}

interface KeptWatchOptions<Value> {
  readonly client: XdsClient;
  readonly type: ResourceType<Value>;
  readonly options: WatchOptions<Value>;
  readonly clock: Clock;
  readonly kept: (name: string) => KeptResource | undefined;
  readonly keptNames: () => readonly string[];
  /** @param sent undefined: there is none of it, or nobody needs it any more */
  readonly tell: (name: string, sent: SentBytes | undefined) => void;
}

/** Its bytes are where the client has them until they are written. */
class ToldResource implements KeptResource {
  readonly stream: string;
  readonly type: string;
  readonly name: string;
  readonly #sent: SentBytes;

  constructor(stream: string, type: string, name: string, sent: SentBytes) {
    this.stream = stream;
    this.type = type;
    this.name = name;
    this.#sent = sent;
  }

  get bytes(): Uint8Array {
    return this.#sent.read();
  }
}

class KeptWatch<Value = unknown> {
  readonly #parts: KeptWatchOptions<Value>;
  readonly #sent = new WeakMap<object, SentBytes>();
  readonly #names: Set<string> | "*";
  /** Of those that stand in. */
  readonly #standIns = new Set<string>();
  readonly #watch: Watch;
  #away = false;
  #settling: Timer | undefined;

  constructor(parts: KeptWatchOptions<Value>) {
    this.#parts = parts;
    const { client, type, options } = parts;
    this.#names = options.names === "*" ? "*" : new Set(options.names);
    const remembering: ResourceType<Value> = {
      ...type,
      decode: (bytes, name, known) => {
        const value = type.decode(bytes, name, known);
        this.#sent.set(value as object, known?.sent ?? { read: () => bytes });
        return value;
      },
    };
    this.#watch = client.watch(remembering, { names: options.names, onChanges: (changes) => this.#hear(changes) });
  }

  get standsIn(): boolean {
    return this.#standIns.size > 0;
  }

  /** Those that stand in. */
  shown(): readonly ResourceStatus[] {
    const { type, kept } = this.#parts;
    return [...this.#standIns].flatMap((name) => {
      const resource = kept(name);
      if (resource === undefined) return [];
      const { bytes, since = 0 } = resource;
      return { url: type.url, name, state: "REQUESTED" as const, version: KEPT, bytes, updatedAt: since };
    });
  }

  add(names: readonly string[]): void {
    if (this.#names !== "*") for (const name of names) this.#names.add(name);
    this.#watch.add(names);
    if (this.#away) queueMicrotask(() => this.standIn());
  }

  remove(names: readonly string[]): void {
    for (const name of names) {
      if (this.#names !== "*") this.#names.delete(name);
      this.#standIns.delete(name);
      this.#parts.tell(name, undefined);
    }
    this.#watch.remove(names);
  }

  close(): void {
    this.forget();
    this.#watch.close();
  }

  forget(): void {
    this.#settling?.cancel();
  }

  /** Tells what is kept of what nobody has answered. Nothing of it may be read by this version: then it is as if it were not there. */
  standIn(): void {
    this.#away = true;
    const { client, type, options, kept, keptNames } = this.#parts;
    if (client.status.state === "fresh" || this.#settling !== undefined) return;
    const changed = new Map<string, Value>();
    for (const name of this.#names === "*" ? keptNames() : this.#names) {
      const resource = kept(name);
      if (resource === undefined || this.#standIns.has(name)) continue;
      try {
        changed.set(name, type.decode(resource.bytes, name));
        this.#standIns.add(name);
      } catch {
        // Written by another version, perhaps: the control plane's own answer will be heard.
      }
    }
    if (changed.size > 0) options.onChanges({ changed, removed: new Set() });
  }

  #hear(changes: ResourceChanges<Value>): void {
    const { options, tell, clock } = this.#parts;
    for (const [name, value] of changes.changed) {
      this.#standIns.delete(name);
      tell(name, this.#sent.get(value as object));
    }
    for (const name of changes.removed) {
      this.#standIns.delete(name);
      tell(name, undefined);
    }
    if (this.#names === "*") this.#settling ??= clock.after(PARTS_MS, () => this.#settle());
    options.onChanges(changes);
  }

  /** Of everything there is: what was not told by now is no more. */
  #settle(): void {
    const { options, tell, keptNames } = this.#parts;
    for (const name of keptNames()) tell(name, undefined);
    const removed = new Set(this.#standIns);
    this.#standIns.clear();
    if (removed.size > 0) options.onChanges({ changed: new Map(), removed });
  }
}

function placeOf({ url, name }: ResourceStatus): string {
  return `${url} ${name}`;
}

function keyOf({ stream, type, name }: Pick<KeptResource, "stream" | "type" | "name">): Key {
  return `${stream} ${type} ${name}`;
}
