/**
 * Keeps a `LeaseTable` in step with the folder of leases. Fifty processes renew here, ten times a second between them:
 * what the watch says about a known lease is believed without a look at the disk.
 */

import { basename, join } from "node:path";
import type { Clock, Timer } from "../runtime/clock.js";
import { errorCode, type FileSystem, TEMPORARY, type WatchEvent, type Watching } from "./files.js";
import { leaseNameOf } from "./lease-file.js";
import { type LeaseTable, TICK_MS } from "./lease-table.js";

export interface LeaseWatchOptions {
  /** The folder of leases; it may come later. */
  readonly directory: string;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly table: LeaseTable;
  /**
   * Called after every look, and when time alone ended a lease. `failure` says why the folder could not be read; one
   * that does not exist is none, since nobody listens yet.
   */
  readonly onLook: (failure: string | undefined) => void;
  /** Names found by a look at the whole folder. */
  readonly onListed: (names: ReadonlySet<string>) => void;
}

/** In ms, from an event to the read: renewals of many processes are read together. */
const DEBOUNCE_MS = 20;
/** In ms, between two looks at the whole folder. */
const RELIST_MS = 1_000;
/** The same, while the watch is deaf. */
const DEAF_RELIST_MS = 400;
/** In ms: a temporary file this old was left by a crash. */
const LEFTOVER_MS = 60_000;

export class LeaseWatch {
  readonly #options: LeaseWatchOptions;
  #watching: { readonly id: string; readonly watching: Watching } | undefined;
  /** Names with an event since the last look. */
  readonly #dirty = new Set<string>();
  /** The folder as of the last listing; a change of it without any event shows that the watch is deaf. */
  #signature = "";
  #heard = false;
  #deaf = false;
  #listDueAt = 0;
  #seeing = false;
  #failure: string | undefined;
  #timer: Timer | undefined;
  #ticker: Timer | undefined;
  #looking: Promise<void> | undefined;
  #closed = false;
  readonly #leftovers = new Map<string, number>();

  constructor(options: LeaseWatchOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock, table } = this.#options;
    this.#ticker = clock.every(TICK_MS, () => {
      const before = table.leases;
      table.tick(this.#seeing);
      if (table.leases !== before) this.#options.onLook(this.#failure);
      this.#schedule(0);
    });
    this.#start();
  }

  /** The folder itself may have come or gone. */
  lookSoon(): void {
    this.#listDueAt = 0;
    this.#schedule(DEBOUNCE_MS);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#ticker?.cancel();
    this.#timer?.cancel();
    this.#unwatch();
    await this.#looking;
  }

  #schedule(ms: number): void {
    const { clock } = this.#options;
    if (this.#closed || this.#timer !== undefined || this.#looking !== undefined) return;
    if (ms === 0 && this.#dirty.size === 0 && clock.now() < this.#listDueAt) return;
    this.#timer = clock.after(ms, () => {
      this.#timer = undefined;
      this.#start();
    });
  }

  #start(): void {
    this.#looking = this.#look().finally(() => {
      this.#looking = undefined;
      if (this.#dirty.size > 0 || this.#options.clock.now() >= this.#listDueAt) this.#schedule(DEBOUNCE_MS);
    });
  }

  async #look(): Promise<void> {
    const { clock, onLook } = this.#options;
    const names = new Set(this.#dirty);
    this.#dirty.clear();
    try {
      if (clock.now() >= this.#listDueAt) {
        this.#listDueAt = Infinity; // an event without a name may bring it forward meanwhile
        await this.#list(names);
        this.#listDueAt = Math.min(this.#listDueAt, clock.now() + (this.#deaf ? DEAF_RELIST_MS : RELIST_MS));
      }
      await Promise.all([...names].map((name) => this.#read(name)));
      this.#seeing = true;
      this.#failure = undefined;
    } catch (error) {
      this.#seeing = false;
      this.#unwatch();
      const code = errorCode(error);
      this.#listDueAt = clock.now() + DEAF_RELIST_MS;
      // Without its folder nobody is registered, or somebody removed it and all will be back in a moment.
      if (code === "ENOENT") this.#options.onListed(new Set());
      this.#failure =
        code === "ENOENT" ? undefined : `the leases in ${this.#options.directory} cannot be read (${code})`;
    }
    if (!this.#closed) onLook(this.#failure);
  }

  /** Adds to `names` what must be looked at. */
  async #list(names: Set<string>): Promise<void> {
    const { directory, files, table, onListed } = this.#options;
    const stat = await files.stat(directory);
    if (this.#heard) this.#deaf = false;
    this.#watch(stat.id);
    const found = await files.names(directory);
    const present = new Set(found);
    if (!this.#heard && this.#signature !== "" && stat.signature !== this.#signature) {
      this.#unwatch(); // something happened and it said nothing: the next look gets a new one
      this.#deaf = true;
    }
    const all = this.#deaf || this.#signature === "" || this.#watching === undefined;
    this.#signature = stat.signature;
    this.#heard = false;
    for (const name of found) if (leaseNameOf(name) !== undefined && (all || !table.has(name))) names.add(name);
    for (const name of table.overdue()) names.add(name);
    // A listing taken while others rename may miss a name: only a look at the file itself tells that it is gone.
    for (const name of table.files) if (!present.has(name)) names.add(name);
    await this.#clear(found);
    onListed(present);
  }

  async #read(name: string): Promise<void> {
    const { directory, files, table } = this.#options;
    const path = join(directory, name);
    try {
      const stat = await files.stat(path);
      if (table.mustRead(name, stat)) table.observe(name, await files.read(path), stat);
    } catch (error) {
      const code = errorCode(error);
      if (code !== "ENOENT") return table.unreadable(name, code);
      // One missing file is a process that left; a missing folder, which throws here, says nothing about anyone.
      await files.stat(directory);
      table.forget(name);
    }
  }

  async #clear(found: readonly string[]): Promise<void> {
    const { directory, files, table, clock } = this.#options;
    const leftovers = found.filter((name) => name.endsWith(TEMPORARY));
    for (const name of this.#leftovers.keys()) if (!leftovers.includes(name)) this.#leftovers.delete(name);
    for (const name of leftovers) if (!this.#leftovers.has(name)) this.#leftovers.set(name, clock.now());
    const old = leftovers.filter((name) => clock.now() - (this.#leftovers.get(name) ?? 0) > LEFTOVER_MS);
    const ended = table.takeCleared();
    for (const name of ended) await this.#read(name); // unless a successor took the name meanwhile
    for (const name of [...ended.filter((file) => !table.isLive(file)), ...old])
      await files.remove(join(directory, name)).catch(() => {}); // another reader was first, or it is not ours to remove
  }

  #watch(id: string): void {
    if (this.#watching?.id === id) return;
    this.#unwatch();
    try {
      const watching = this.#options.files.watch(
        this.#options.directory,
        (event) => this.#onEvent(event),
        () => this.#unwatch(),
      );
      this.#watching = { id, watching };
    } catch {
      this.#deaf = true; // no watches left in this system: every look looks at every lease
    }
  }

  #unwatch(): void {
    this.#watching?.watching.close();
    this.#watching = undefined;
    this.#signature = "";
  }

  #onEvent({ name, inPlace }: WatchEvent): void {
    const { directory, table } = this.#options;
    this.#heard = true;
    if (name === basename(directory)) this.#unwatch(); // the folder itself was moved or removed
    if (name === null) this.#listDueAt = 0;
    else if (leaseNameOf(name) === undefined || (inPlace && table.touched(name))) return;
    else this.#dirty.add(name);
    this.#schedule(DEBOUNCE_MS);
  }
}
