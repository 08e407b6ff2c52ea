/**
 * Those who may say what the names of one authority mean: its servers, the preferred one first. The next one is asked as well
 * when those before it cannot be reached and something is still missing; it is left as soon as one before it serves (gRFC A71).
 */

import type { Timer } from "@inmesh/core";
import { TypeCache, type Watcher } from "../cache/type-cache.js";
import type { ResourceType, XdsStatus } from "../watch.js";
import { AdsLink, type AdsLinkEvents, type AdsLinkOptions } from "./ads-link.js";
import { AnswerQueue, type AnswerQueueOptions } from "./answer-queue.js";
import type { AdsTransport } from "./transport.js";

/** A server, and what its bootstrap says of it. */
export interface AuthorityServer {
  readonly transport: AdsTransport;
  /** Server feature `fail_on_data_errors` of gRFC A88. */
  readonly failOnDataErrors: boolean;
  /** Server feature `resource_timer_is_transient_error` of gRFC A88. */
  readonly slowIsNotAbsent: boolean;
}

export interface AuthorityOptions
  extends Omit<AnswerQueueOptions, "clock">,
    Pick<AdsLinkOptions, "clock" | "random" | "mode" | "repeatsNames" | "node"> {
  /** At least one. */
  readonly servers: readonly AuthorityServer[];
  readonly onState: () => void;
  readonly onOddity: (text: string) => void;
}

const PATIENCE_MS = 15_000;
/** Where silence is not absence: the server is given longer (gRFC A88). */
const LONG_PATIENCE_MS = 30_000;

/** How long a lost stream may be away before what it said counts as old, in ms: servers end streams to balance their load. */
const GRACE_MS = 2_000;

export type AuthorityState = Omit<XdsStatus, "resources">;

export class Authority {
  readonly #options: AuthorityOptions;
  readonly #caches = new Map<string, TypeCache>();
  readonly #queue: AnswerQueue;
  readonly #links: AdsLink[] = [];
  #state: AuthorityState;
  #grace: Timer | undefined;
  #closed = false;

  constructor(options: AuthorityOptions) {
    this.#options = options;
    this.#queue = new AnswerQueue(options);
    const server = options.servers[0]?.transport.server ?? "";
    this.#state = { state: "connecting", since: options.clock.now(), server };
  }

  get state(): AuthorityState {
    return this.#state;
  }

  get caches(): Iterable<TypeCache> {
    return this.#caches.values();
  }

  /** @throws {TypeError} another reading of the same type is in use */
  cache<Value>(type: ResourceType<Value>): TypeCache<Value> {
    const known = this.#caches.get(type.url);
    if (known !== undefined) {
      if (known.type !== type) throw new TypeError(`${type.url} is watched with another ResourceType`);
      return known as unknown as TypeCache<Value>; // of that very type
    }
    const { clock, servers } = this.#options;
    const failOnDataErrors = servers[0]?.failOnDataErrors === true;
    const cache = new TypeCache(type, { clock, failOnDataErrors, knownName: (name) => this.#knownName(name) });
    this.#caches.set(type.url, cache as unknown as TypeCache);
    return cache;
  }

  watch<Value>(cache: TypeCache<Value>, watcher: Watcher<Value>): void {
    cache.addWatcher(watcher);
    if (watcher.all) cache.wanted.addAll();
    for (const name of watcher.names) this.#want(cache, name);
    this.changed(cache);
  }

  unwatch<Value>(cache: TypeCache<Value>, watcher: Watcher<Value>): void {
    cache.removeWatcher(watcher);
    if (watcher.all) cache.wanted.removeAll();
    for (const name of watcher.names) cache.wanted.remove(name);
    this.changed(cache);
  }

  add<Value>(cache: TypeCache<Value>, names: readonly string[]): void {
    for (const name of names) this.#want(cache, name);
    this.changed(cache);
  }

  remove<Value>(cache: TypeCache<Value>, names: readonly string[]): void {
    for (const name of names) cache.wanted.remove(name);
    this.changed(cache);
  }

  changed<Value>(cache: TypeCache<Value>): void {
    if (this.#closed) return;
    if (this.#links.length === 0) this.#startNext();
    for (const link of this.#links) link.subscribe(cache as unknown as TypeCache);
    this.#fallBack();
  }

  close(): void {
    this.#closed = true;
    this.#grace?.cancel();
    for (const link of this.#links) link.close();
    for (const cache of this.#caches.values()) cache.close();
  }

  /** Of any type. */
  #knownName(name: string): string | undefined {
    for (const cache of this.#caches.values()) {
      const entry = cache.entry(name);
      if (entry !== undefined) return entry.name;
    }
    return undefined;
  }

  #want<Value>(cache: TypeCache<Value>, name: string): void {
    cache.wanted.add(name);
    cache.expect(name);
  }

  #startNext(): void {
    const { servers, onOddity } = this.#options;
    const server = servers[this.#links.length];
    if (server === undefined) return;
    const events: AdsLinkEvents = {
      onServing: (link, controlPlane) => this.#serves(link, controlPlane),
      onLost: (link, reason, served) => this.#lost(link, reason, served),
      onOddity,
    };
    const link = new AdsLink({
      ...this.#options,
      transport: server.transport,
      queue: this.#queue,
      caches: () => this.#caches.values(),
      cacheOf: (typeUrl) => this.#caches.get(typeUrl) ?? this.#caches.get(typeUrl.slice(typeUrl.lastIndexOf("/") + 1)),
      patienceMs: server.slowIsNotAbsent ? LONG_PATIENCE_MS : PATIENCE_MS,
      silenceIsAbsence: !server.slowIsNotAbsent,
      events,
    });
    this.#links.push(link);
    link.start();
  }

  #serves(link: AdsLink, controlPlane: string | undefined): void {
    const rank = this.#links.indexOf(link);
    if (rank < 0) return;
    for (const lower of this.#links.splice(rank + 1)) lower.close();
    this.#grace?.cancel();
    this.#grace = undefined;
    this.#enter(
      "fresh",
      link,
      undefined,
      controlPlane ?? (link.server === this.#state.server ? this.#state.controlPlane : undefined),
    );
  }

  #lost(link: AdsLink, reason: string, served: boolean): void {
    if (!this.#links.some(({ isServing }) => isServing)) {
      const { clock } = this.#options;
      const gone = () => {
        this.#grace?.cancel();
        this.#grace = undefined;
        this.#enter(
          this.#state.state === "connecting" ? "connecting" : "stale",
          link,
          reason,
          this.#state.controlPlane,
        );
      };
      if (served) this.#grace ??= clock.after(GRACE_MS, gone);
      else gone();
    }
    this.#fallBack();
  }

  #fallBack(): void {
    const last = this.#links.at(-1);
    if (last === undefined || last.isServing || last.failures === 0) return;
    if ([...this.#caches.values()].some(({ hasUnanswered }) => hasUnanswered)) this.#startNext();
  }

  #enter(
    state: XdsStatus["state"],
    { server }: AdsLink,
    reason: string | undefined,
    controlPlane: string | undefined,
  ): void {
    const before = this.#state;
    this.#state = {
      state,
      since: before.state === state ? before.since : this.#options.clock.now(),
      server,
      ...(reason === undefined ? {} : { reason }),
      ...(controlPlane === undefined ? {} : { controlPlane }),
    };
    if (before.state !== state) this.#options.onState();
  }
}
