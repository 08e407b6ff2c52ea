/** The client of the process: watches by type and name, whichever authority and server answers them. */

import { type Clock, messageOf, type Random } from "@inmesh/core";
import { setImmediate } from "@inmesh/core/internal";
import { Authority, type AuthorityServer } from "./ads/authority.js";
import type { AdsMode } from "./ads/transport.js";
import { type Entry, entryStatus } from "./cache/entry.js";
import type { TypeCache, Watcher } from "./cache/type-cache.js";
import type {
  ResourceChanges,
  ResourceStatus,
  ResourceType,
  Watch,
  WatchOptions,
  XdsClient,
  XdsStatus,
  XdsTraffic,
} from "./watch.js";

export interface AdsClientOptions {
  /** The preferred one first; at least one. */
  readonly servers: readonly AuthorityServer[];
  /** Servers of other authorities by name, which names such as `xdstp://name/…` mean. @default none */
  readonly authorities?: ReadonlyMap<string, readonly AuthorityServer[]>;
  readonly mode: AdsMode;
  /** A Node message, encoded. */
  readonly node: Uint8Array;
  /** See DeltaSessionOptions. @default false */
  readonly repeatsNames?: boolean;
  readonly clock: Clock;
  readonly random: Random;
  /** What is odd about a server, for people; each text once. @default not told */
  readonly warn?: (text: string) => void;
  /** Calls back in a later turn of the event loop. @default setImmediate */
  readonly laterTurn?: (fn: () => void) => void;
}

/** The authority of all names that name none. */
const DEFAULT = "";

export class AdsClient implements XdsClient {
  readonly #authorities = new Map<string, Authority>();
  readonly #listeners = new Set<(status: XdsStatus) => void>();
  readonly #oddities = new Set<string>();
  readonly #options: AdsClientOptions;

  constructor(options: AdsClientOptions) {
    this.#options = options;
    for (const [name, servers] of [[DEFAULT, options.servers] as const, ...(options.authorities ?? [])]) {
      this.#authorities.set(name, this.#authority(name, servers));
    }
  }

  /** @throws {TypeError} the same type is watched with another ResourceType */
  watch<Value>(type: ResourceType<Value>, { names, onChanges }: WatchOptions<Value>): Watch {
    const shares = new Map<Authority, Share<Value>>();
    const tell = (changes: ResourceChanges<Value>) => {
      try {
        onChanges(changes);
      } catch (error) {
        this.#warn(`whoever watches ${type.url} failed: ${messageOf(error)}`);
      }
    };
    const shareOf = (authority: Authority, all: boolean, first: readonly string[]): Share<Value> => {
      const share = new Share(authority, authority.cache(type), all, first, tell);
      shares.set(authority, share);
      return share;
    };
    const unknown = new Set<string>();
    const add = (wanted: readonly string[]) => {
      for (const [authority, own] of this.#byAuthority(wanted)) {
        if (authority === undefined) {
          const news = own.filter((name) => !unknown.has(name));
          for (const name of news) unknown.add(name);
          queueMicrotask(() => tell({ changed: new Map(), removed: new Set(news) }));
        } else {
          const share = shares.get(authority);
          if (share === undefined) shareOf(authority, false, own);
          else share.add(own);
        }
      }
    };
    if (names === "*") shareOf(this.#byName(DEFAULT), true, []);
    else add(names);
    return {
      add,
      remove: (unwanted) => {
        for (const [authority, own] of this.#byAuthority(unwanted)) {
          if (authority === undefined) for (const name of own) unknown.delete(name);
          else shares.get(authority)?.remove(own);
        }
      },
      close: () => {
        for (const share of shares.values()) share.close();
        shares.clear();
      },
    };
  }

  /** Of the servers of names without an authority. Only resources with which not all is well are in it. */
  get status(): XdsStatus {
    return { ...this.#byName(DEFAULT).state, resources: this.#resources(({ state }) => state !== "ACKED") };
  }

  /** All that are wanted or known, as client status discovery tells them. */
  resources(): readonly ResourceStatus[] {
    return this.#resources(() => true);
  }

  /** Of thousands few are to be shown: only these are turned into what is. */
  #resources(isShown: (entry: Entry<unknown>) => boolean): readonly ResourceStatus[] {
    return [...this.#authorities.values()].flatMap(({ caches }) =>
      [...caches].flatMap((cache) =>
        [...cache.entries()].filter(isShown).map((entry) => entryStatus(cache.type.url, entry)),
      ),
    );
  }

  /** Of each authority by itself. */
  traffic(): readonly XdsTraffic[] {
    return [...this.#authorities.values()].flatMap(({ caches }) =>
      [...caches].map(({ type, traffic }) => ({ url: type.url, ...traffic })),
    );
  }

  onState(listener: (status: XdsStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    for (const authority of this.#authorities.values()) authority.close();
  }

  #authority(name: string, servers: readonly AuthorityServer[]): Authority {
    const { clock, random, mode, node, repeatsNames = false, laterTurn = setImmediate } = this.#options;
    return new Authority({
      servers,
      clock,
      random,
      mode,
      node,
      repeatsNames,
      laterTurn,
      onOddity: (text) => this.#warn(text),
      onState: () => {
        if (name !== DEFAULT) return;
        const { status } = this;
        for (const listener of [...this.#listeners]) listener(status);
      },
    });
  }

  #warn(text: string): void {
    if (this.#oddities.has(text)) return;
    this.#oddities.add(text);
    this.#options.warn?.(text);
  }

  #byName(name: string): Authority {
    return this.#authorities.get(name)!; // the default one is always there
  }

  #byAuthority(names: readonly string[]): Map<Authority | undefined, string[]> {
    const groups = new Map<Authority | undefined, string[]>();
    for (const name of names) {
      const authority = this.#authorities.get(/^xdstp:\/\/([^/]*)\//.exec(name)?.[1] ?? DEFAULT);
      const group = groups.get(authority);
      if (group === undefined) groups.set(authority, [name]);
      else group.push(name);
    }
    return groups;
  }
}

/** What one watch wants of one authority. */
class Share<Value> implements Watcher<Value> {
  readonly all: boolean;
  readonly names = new Set<string>();
  readonly tell: (changes: ResourceChanges<Value>) => void;
  readonly #authority: Authority;
  readonly #cache: TypeCache<Value>;
  #closed = false;

  constructor(
    authority: Authority,
    cache: TypeCache<Value>,
    all: boolean,
    names: readonly string[],
    tell: (changes: ResourceChanges<Value>) => void,
  ) {
    this.#authority = authority;
    this.#cache = cache;
    this.all = all;
    this.tell = (changes) => {
      if (!this.#closed) tell(changes);
    };
    for (const name of names) this.names.add(name);
    this.#tellKnown(all ? undefined : [...this.names]);
    authority.watch(cache, this);
  }

  add(names: readonly string[]): void {
    const news = [...new Set(names)].filter((name) => !this.names.has(name));
    if (news.length === 0) return;
    for (const name of news) this.names.add(name);
    this.#tellKnown(news);
    this.#authority.add(this.#cache, news);
  }

  remove(names: readonly string[]): void {
    const gone = names.filter((name) => this.names.delete(name));
    if (gone.length > 0) this.#authority.remove(this.#cache, gone);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#authority.unwatch(this.#cache, this);
  }

  /** What others have asked for before is told in a moment: never from inside the call that asks. */
  #tellKnown(names: readonly string[] | undefined): void {
    const known = this.#cache.known(names);
    const isNothing = known.changed.size === 0 && known.removed.size === 0;
    if (isNothing && !(this.all && this.#cache.isAnswered)) return;
    queueMicrotask(() => this.tell(this.#cache.known(names?.filter((name) => this.names.has(name)))));
  }
}
