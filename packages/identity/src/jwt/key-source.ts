/** Where the keys of an issuer come from, and how they stay fresh. */

import type { Clock, Random, TokenKeysReading } from "@inmesh/core";
import { messageOf } from "@inmesh/core";
import { backoffMs } from "@inmesh/core/internal";
import { KeySet } from "./key-set.js";

export interface KeySource {
  /** The last good ones, at once; undefined: none yet. Asking for them renews them in the background when it is time. */
  readonly current: KeySet | undefined;
  /** As `current`, after a first fetch where there was none. Undefined: they cannot be had, and when it failed a moment ago that is said at once. */
  ready(): Promise<KeySet | undefined>;
  /** A token names a key that `known` does not hold. @returns newer ones, fetched now unless that was done a moment ago */
  afterMiss(known: KeySet): Promise<KeySet>;
  read(): Omit<TokenKeysReading, "issuer">;
}

/** Written into policy. */
export class InlineKeys implements KeySource {
  readonly current: KeySet | undefined;
  readonly #reason: string | undefined;

  constructor(jwks: string) {
    try {
      this.current = KeySet.parse(jwks);
    } catch (error) {
      this.#reason = (error as Error).message;
    }
  }

  async ready(): Promise<KeySet | undefined> {
    return this.current;
  }

  async afterMiss(known: KeySet): Promise<KeySet> {
    return known;
  }

  read(): Omit<TokenKeysReading, "issuer"> {
    const keys = this.current?.keys.length ?? 0;
    return { source: "inline", keys, ageMs: null, ...(this.#reason !== undefined && { reason: this.#reason }) };
  }
}

export interface RemoteKeysOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** @returns a JSON Web Key Set @throws in words for the operator */
  readonly load: () => Promise<string>;
  /** For the operator. */
  readonly source: string;
  /** Told when keys cannot be had, once until they can. */
  readonly onNotice: (message: string) => void;
}

/** Istio's: keys are renewed when somebody uses them and they are older. */
const REFRESH_MS = 20 * 60_000;
/** Nobody asked for so long that they are renewed before they are used. */
const OLD_MS = 3 * REFRESH_MS;
/** Between fetches for keys that tokens name: anybody may name any. */
const MISS_MS = 10_000;
const BACKOFF = { baseMs: 1_000, maxMs: 5 * 60_000 };

export class RemoteKeys implements KeySource {
  readonly #options: RemoteKeysOptions;
  #keys: KeySet | undefined;
  #text = "";
  #loadedAt = 0;
  #missedAt = Number.NEGATIVE_INFINITY;
  #retryAt = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #reason: string | undefined;
  #loading: Promise<void> | undefined;

  constructor(options: RemoteKeysOptions) {
    this.#options = options;
  }

  get current(): KeySet | undefined {
    if (this.#keys !== undefined && this.#ageMs >= REFRESH_MS && this.#mayLoad) void this.#load();
    return this.#keys;
  }

  async ready(): Promise<KeySet | undefined> {
    if (this.#keys === undefined || this.#ageMs >= OLD_MS) {
      if (this.#loading !== undefined || this.#mayLoad) await this.#load();
    }
    return this.current;
  }

  async afterMiss(known: KeySet): Promise<KeySet> {
    const now = this.#options.clock.now();
    if (this.#keys === known) {
      if (this.#loading !== undefined) await this.#loading;
      else if (this.#mayLoad && now - this.#missedAt >= MISS_MS) {
        this.#missedAt = now;
        await this.#load();
      }
    }
    return this.#keys ?? known;
  }

  read(): Omit<TokenKeysReading, "issuer"> {
    return {
      source: this.#options.source,
      keys: this.#keys?.keys.length ?? 0,
      ageMs: this.#keys === undefined ? null : this.#ageMs,
      ...(this.#reason !== undefined && { reason: this.#reason }),
    };
  }

  get #ageMs(): number {
    return this.#options.clock.now() - this.#loadedAt;
  }

  get #mayLoad(): boolean {
    return this.#options.clock.now() >= this.#retryAt;
  }

  /** Once for all who wait. Never rejects. */
  #load(): Promise<void> {
    this.#loading ??= this.#loadOnce().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #loadOnce(): Promise<void> {
    const { clock, random, load, source, onNotice } = this.#options;
    try {
      const text = await load();
      // The same text keeps the same set, and with it every token that was verified by it.
      if (this.#keys === undefined || text !== this.#text) this.#keys = KeySet.parse(text);
      this.#text = text;
      this.#loadedAt = clock.now();
      if (this.#reason !== undefined) onNotice(`keys of tokens are fetched from ${source} again`);
      this.#failures = 0;
      this.#reason = undefined;
    } catch (error) {
      this.#failures += 1;
      this.#retryAt = clock.now() + backoffMs(BACKOFF, this.#failures, random);
      const why = messageOf(error);
      const rest = this.#keys === undefined ? "tokens of its issuer are refused" : "the last good ones stay in use";
      if (this.#reason === undefined) onNotice(`keys of tokens cannot be fetched from ${source}: ${why}; ${rest}`);
      this.#reason = why;
    }
  }
}
