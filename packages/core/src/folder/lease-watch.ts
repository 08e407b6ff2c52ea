/** Keeps a `LeaseTable` in step with the folder of leases. Fifty processes renew here, so each renewal costs one small read. */

import { basename, join } from "node:path";
import type { Clock, Timer } from "../runtime/clock.js";
import { errorCode, type FileSystem, TEMPORARY, type Watching } from "./files.js";
import { leaseNameOf } from "./lease-file.js";
import { type LeaseTable, TICK_MS } from "./lease-table.js";

export interface LeaseWatchOptions {
  /** The folder of leases; it may come later. */
  readonly directory: string;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly table: LeaseTable;
  /** As for PolicyWatch. A folder that does not exist is no failure: nobody listens yet. */
  readonly onLook: (look: { readonly changed: boolean; readonly failure: string | undefined }) => void;
  /** Names found by a look at the whole folder. */
  readonly onListed: (names: ReadonlySet<string>) => void;
}

/** In ms, from an event to the read: renewals of many processes are read together. */
const DEBOUNCE_MS = 20;
/** In ms, between two looks at the whole folder. */
const RELIST_MS = 500;
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
      if (table.tick(this.#seeing)) this.#options.onLook({ changed: true, failure: this.#failure });
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
    let changed = false;
    try {
      if (clock.now() >= this.#listDueAt) {
        this.#listDueAt = clock.now() + RELIST_MS;
        changed = await this.#list(names);
      }
      for (const name of names) changed = (await this.#read(name)) || changed;
      this.#seeing = true;
      this.#failure = undefined;
    } catch (error) {
      this.#seeing = false;
      this.#unwatch();
      const code = errorCode(error);
      // Without its folder nobody is registered, or somebody removed it and all will be back in a moment.
      this.#failure =
        code === "ENOENT" ? undefined : `the leases in ${this.#options.directory} cannot be read (${code})`;
    }
    if (!this.#closed) onLook({ changed, failure: this.#failure });
  }

  /** Adds to `names` what must be read. @returns whether something left */
  async #list(names: Set<string>): Promise<boolean> {
    const { directory, files, table, onListed } = this.#options;
    const stat = await files.stat(directory);
    this.#watch(stat.id);
    const found = await files.names(directory);
    const present = new Set(found);
    const deaf = this.#watching === undefined || (stat.signature !== this.#signature && !this.#heard);
    if (deaf && this.#signature !== "") this.#unwatch(); // the next look gets a new watch
    this.#signature = stat.signature;
    this.#heard = false;
    for (const name of found) if (leaseNameOf(name) !== undefined && (deaf || !table.has(name))) names.add(name);
    for (const name of table.overdue()) names.add(name);
    let changed = false;
    for (const name of [...table.files]) if (!present.has(name)) changed = table.forget(name) || changed;
    await this.#clear(found);
    onListed(present);
    return changed;
  }

  async #read(name: string): Promise<boolean> {
    const { directory, files, table } = this.#options;
    try {
      return table.observe(name, await files.read(join(directory, name)));
    } catch (error) {
      const code = errorCode(error);
      if (code !== "ENOENT") return table.unreadable(name, code);
      // One missing file is a process that left; a missing folder, which throws here, says nothing about anyone.
      await files.stat(directory);
      return table.forget(name);
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
        (name) => this.#onEvent(name),
        () => this.#unwatch(),
      );
      this.#watching = { id, watching };
    } catch {
      // No watches left in this system: every look reads every lease.
    }
  }

  #unwatch(): void {
    this.#watching?.watching.close();
    this.#watching = undefined;
    this.#signature = "";
  }

  #onEvent(name: string | null): void {
    this.#heard = true;
    if (name === basename(this.#options.directory)) this.#unwatch(); // the folder itself was moved or removed
    if (name === null) this.#listDueAt = 0;
    else if (leaseNameOf(name) === undefined) return;
    else this.#dirty.add(name);
    this.#schedule(DEBOUNCE_MS);
  }
}
