/**
 * Decides when a changed file may be read. An editor that writes in place empties the file first and fills it in steps,
 * one that renames leaves a moment without any file; reading in between would drop policy for that moment. So a change
 * counts only once the file has looked the same twice, `SETTLE_MS` apart, and a file that became empty or vanished
 * once it stayed so for longer.
 */

import type { Clock } from "../runtime/clock.js";
import type { FileStat } from "./files.js";

/** In ms, between two equal looks. */
export const SETTLE_MS = 30;
/** In ms, for what would take everything away: an empty or a missing file. */
export const LOSS_MS = 100;
/** In ms: until then a change is not trusted to be the last one, however the file looks. File systems' clocks step by up to 2 s. */
const FRESH_MS = 2_000;
/** In ms: a file that never comes to rest is read as it is. */
const PATIENCE_MS = 500;

interface Restless {
  /** Undefined while the file is missing. */
  signature: string | undefined;
  since: number;
  readonly first: number;
}

export interface Decision {
  readonly read: readonly string[];
  readonly gone: readonly string[];
  /** Look again after this many ms: something is not settled yet. */
  readonly againInMs: number | undefined;
}

export class FileSettler {
  readonly #clock: Clock;
  readonly #taken = new Map<string, { readonly signature: string; readonly bytes: number }>();
  readonly #restless = new Map<string, Restless>();
  #started = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param isHidden whether a missing path stands where nobody could look, and so counts as unchanged */
  decide(found: ReadonlyMap<string, FileStat>, isHidden: (path: string) => boolean): Decision {
    const read: string[] = [];
    const gone: string[] = [];
    let againInMs: number | undefined;
    const look = (path: string, signature: string | undefined, needMs: number): boolean => {
      const leftMs = this.#rest(path, signature, needMs);
      if (leftMs <= 0) return true;
      againInMs = Math.min(againInMs ?? leftMs, leftMs);
      return false;
    };
    for (const [path, { signature, bytes, changedAt }] of found) {
      const before = this.#taken.get(path);
      if (before?.signature === signature) {
        this.#restless.delete(path);
        if (this.#isFresh(changedAt)) read.push(path);
      } else if (!this.#started) read.push(path);
      else if (look(path, signature, bytes === 0 && (before?.bytes ?? 0) > 0 ? LOSS_MS : SETTLE_MS)) read.push(path);
    }
    for (const path of this.#taken.keys()) {
      if (found.has(path) || isHidden(path)) continue;
      if (look(path, undefined, LOSS_MS)) gone.push(path);
    }
    for (const path of this.#restless.keys()) {
      if (!found.has(path) && !this.#taken.has(path)) this.#restless.delete(path);
    }
    this.#started = true;
    return { read, gone, againInMs };
  }

  /** The file was read as it looked in `stat`; without this it is offered again at the next look. */
  take(path: string, { signature, bytes }: FileStat): void {
    this.#taken.set(path, { signature, bytes });
    this.#restless.delete(path);
  }

  drop(path: string): void {
    this.#taken.delete(path);
    this.#restless.delete(path);
  }

  /** Two changes within one step of the file system's clock leave the same time, and may leave the same size. */
  #isFresh(changedAt: number): boolean {
    return Math.abs(this.#clock.wallTime() - changedAt) < FRESH_MS;
  }

  /** Ms that the file must still look like this. */
  #rest(path: string, signature: string | undefined, needMs: number): number {
    const now = this.#clock.now();
    const entry = this.#restless.get(path);
    if (entry === undefined) {
      this.#restless.set(path, { signature, since: now, first: now });
      return needMs;
    }
    if (entry.signature !== signature) {
      entry.signature = signature;
      entry.since = now;
    }
    const waitedMs = now - entry.since;
    return now - entry.first >= PATIENCE_MS ? 0 : needMs - waitedMs;
  }
}
