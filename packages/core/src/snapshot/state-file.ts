/**
 * The last good policy on disk, for a start while the registry is away. It decides where requests go, so it is an input
 * to be distrusted: only a file that this user wrote, that nobody else may write, whole and not too old is used.
 *
 * It holds policy documents and the instances last seen, and no keys. Endpoints from old leases may be gone: calls find out
 * as they do for any endpoint that refuses.
 */

import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { access, type FileHandle, lstat, mkdir, open, rename, unlink } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Problem } from "@inmesh/model";
import { messageOf } from "../errors.js";
import { type Clock, systemClock, type Timer } from "../runtime/clock.js";
import { registryProblem } from "./registry-problem.js";
import {
  parseState,
  type SavedState,
  type StateContent,
  type StateItem,
  type StateOwner,
  sameContent,
  stateHeader,
  stateItems,
  stateTrailer,
  Unusable,
} from "./state-text.js";

export type { SavedState, StateContent, StateOwner } from "./state-text.js";

export interface StateFileOptions {
  /** See `stateDirectory`. Made, with its parents, at the first save. */
  readonly directory: string;
  readonly owner: StateOwner;
  readonly clock?: Clock;
  /** Older content is left alone, in ms. @default 7 days */
  readonly maxAgeMs?: number;
  /** Told once why the state is not used, and once why it cannot be saved. */
  readonly onWarning?: (warning: Problem) => void;
}

const FILE = "policy.jsonl";
const MAX_AGE_MS = 7 * 24 * 3_600_000;
const MAX_BYTES = 256 * 1024 * 1024;
/** In ms: changes within it are saved together. */
const SAVE_DELAY_MS = 1_000;
/** Lines between two turns of the event loop. */
const LINES_PER_TURN = 256;

/** Of all states of this user: `$INMESH_STATE_DIR`, else `$XDG_CACHE_HOME/inmesh`. */
export function stateHome(env: Readonly<Record<string, string | undefined>>, home: () => string = homedir): string {
  return env["INMESH_STATE_DIR"] || join(env["XDG_CACHE_HOME"] || join(home(), ".cache"), "inmesh");
}

/** In `stateHome` a folder per registry and service. */
export function stateDirectory(
  env: Readonly<Record<string, string | undefined>>,
  { registry, namespace, service }: StateOwner,
  home: () => string = homedir,
): string {
  const id = createHash("sha256")
    .update(JSON.stringify([registry, namespace, service]))
    .digest("hex")
    .slice(0, 16);
  return join(stateHome(env, home), id);
}

export class StateFile {
  /** Several meshes of one process may save the same state at the same moment. */
  static #made = 0;
  readonly #temporary: string;
  readonly #directory: string;
  readonly #path: string;
  readonly #owner: StateOwner;
  readonly #clock: Clock;
  readonly #maxAgeMs: number;
  readonly #onWarning: (warning: Problem) => void;
  /** A document or lease that did not change is not turned into text again. */
  readonly #lines = new WeakMap<object, string>();
  #wanted: StateContent | undefined;
  #saved: StateContent | undefined;
  #timer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();
  #failing = false;

  constructor({
    directory,
    owner,
    clock = systemClock,
    maxAgeMs = MAX_AGE_MS,
    onWarning = () => {},
  }: StateFileOptions) {
    this.#directory = directory;
    this.#owner = { registry: owner.registry, namespace: owner.namespace, service: owner.service };
    this.#path = join(directory, FILE);
    this.#temporary = `${this.#path}.${process.pid}-${StateFile.#made++}.tmp`;
    this.#clock = clock;
    this.#maxAgeMs = maxAgeMs;
    this.#onWarning = onWarning;
  }

  /** Undefined when there is none, or none to be trusted; never rejects. */
  async load(): Promise<SavedState | undefined> {
    try {
      const text = await this.#read();
      const found = text === undefined ? undefined : parseState(text, this.#owner);
      if (found === undefined) return undefined;
      // A clock set back makes it look newer than now: no reason to throw it away.
      if (this.#clock.wallTime() - found.savedAt > this.#maxAgeMs)
        throw new Unusable(`it was saved ${new Date(found.savedAt).toISOString()}, too long ago`);
      return found;
    } catch (error) {
      this.#onWarning(
        registryProblem(
          "IM0706",
          "warning",
          `the state in ${this.#path} is not used: ${messageOf(error)}. Without it a start needs the registry. ${adviceFor(error)}`,
        ),
      );
      return undefined;
    }
  }

  get directory(): string {
    return this.#directory;
  }

  /** @returns why a save would fail now, in a word; undefined when it would not */
  async obstacle(): Promise<string | undefined> {
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      await this.#checkDirectory();
      await access(this.#directory, constants.W_OK);
      return undefined;
    } catch (error) {
      return error instanceof Error && "code" in error ? String(error.code) : messageOf(error);
    }
  }

  /** Written after a moment, together with what changes until then. */
  save(content: StateContent): void {
    this.#wanted = content;
    if (this.#saved !== undefined && sameContent(this.#saved, content)) return;
    this.#timer ??= this.#clock.after(SAVE_DELAY_MS, () => this.#flush());
  }

  /** Writes the same again with today's date: the registry still says so. */
  refresh(): void {
    this.#saved = undefined;
    if (this.#wanted !== undefined) this.save(this.#wanted);
  }

  /** Writes what is still to be written. */
  async close(): Promise<void> {
    if (this.#timer !== undefined) this.#flush();
    await this.#writing;
  }

  #flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#write());
  }

  async #write(): Promise<void> {
    const content = this.#wanted;
    if (content === undefined) return;
    const temporary = this.#temporary;
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      await this.#checkDirectory();
      await unlink(temporary).catch(() => {});
      const handle = await open(temporary, "wx", 0o600);
      try {
        await this.#writeLines(handle, content);
      } finally {
        await handle.close();
      }
      await rename(temporary, this.#path);
      this.#saved = content;
      this.#failing = false;
    } catch (error) {
      await unlink(temporary).catch(() => {});
      if (this.#failing) return;
      this.#failing = true;
      this.#onWarning(
        registryProblem(
          "IM0707",
          "warning",
          `the state cannot be saved in ${this.#directory}: ${messageOf(error)}. A start while the registry is away will have no policy; point INMESH_STATE_DIR to a folder that this user may write.`,
        ),
      );
    }
  }

  async #writeLines(handle: FileHandle, content: StateContent): Promise<void> {
    const hash = createHash("sha256");
    const write = async (text: string): Promise<void> => {
      hash.update(text);
      await handle.write(text);
    };
    await write(stateHeader(this.#clock.wallTime(), this.#owner, content));
    const items = stateItems(content);
    for (let start = 0; start < items.length; start += LINES_PER_TURN) {
      const lines = items.slice(start, start + LINES_PER_TURN).map((each) => this.#line(each));
      await write(lines.join(""));
    }
    await handle.write(stateTrailer(hash.digest("hex")));
  }

  #line({ item, value, long = false }: StateItem): string {
    if (long) return `${JSON.stringify(value())}\n`;
    let line = this.#lines.get(item);
    if (line === undefined) {
      line = `${JSON.stringify(value())}\n`;
      this.#lines.set(item, line);
    }
    return line;
  }

  /** Undefined when there is no file. */
  async #read(): Promise<string | undefined> {
    let handle: FileHandle;
    try {
      await this.#checkDirectory();
      handle = await open(this.#path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
    } catch (error) {
      if (isCode(error, "ENOENT")) return undefined;
      throw error;
    }
    try {
      const stat = await handle.stat();
      checkOwner(stat, "the file");
      if (!stat.isFile() || stat.size > MAX_BYTES) throw new Unusable("it is no file of sensible size");
      return await handle.readFile("utf8");
    } finally {
      await handle.close();
    }
  }

  async #checkDirectory(): Promise<void> {
    const stat = await lstat(this.#directory);
    if (!stat.isDirectory()) throw new Unusable(`${this.#directory} is no folder`);
    checkOwner(stat, "its folder");
  }
}

function adviceFor(error: unknown): string {
  return error instanceof Unusable ? error.advice : "Remove it, or see that this user may read it.";
}

function checkOwner({ uid, mode }: { readonly uid: number; readonly mode: number }, what: string): void {
  const self = process.getuid?.();
  if (self === undefined) return; // no such thing on this system
  const trust = "Look who wrote it, then remove it or correct its owner and mode.";
  if (uid !== self) throw new Unusable(`${what} belongs to user ${uid}, expected ${self}`, trust);
  if ((mode & 0o022) !== 0)
    throw new Unusable(`${what} can be written by others (mode ${(mode & 0o777).toString(8)})`, trust);
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
