/**
 * What the folder registry asks of a file system, and Node's answer. A port, so that a full disk, a lost permission or
 * a deaf watcher can be had in a test without being root on a special disk.
 */

import { type Dirent, readFileSync, stat, unlinkSync, watch } from "node:fs";
import { chmod, lstat, mkdir, readdir, readFile, realpath, rename, unlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../errors.js";

/** Two looks at a file with equal signatures saw the same content. */
export interface FileStat {
  readonly signature: string;
  readonly bytes: number;
  readonly directory: boolean;
  /** Identity of the file behind the name, links followed. */
  readonly id: string;
  /** Wall time of the last change, ms since 1970. */
  readonly changedAt: number;
}

export interface Listed extends FileStat {
  readonly name: string;
}

export interface WatchEvent {
  /** Null when unknown. */
  readonly name: string | null;
  /** The file is the one it was: only its content or its times changed. Some systems never say so. */
  readonly inPlace: boolean;
}

export interface Watching {
  close(): void;
}

/** Every method rejects with a NodeJS.ErrnoException, or throws one where it is synchronous. */
export interface FileSystem {
  /** Entries of a directory whose names `wanted` accepts, links followed, dangling ones left out. */
  list(directory: string, wanted: (name: string, entry: Dirent) => boolean): Promise<readonly Listed[]>;
  /** Names only. */
  names(directory: string): Promise<readonly string[]>;
  stat(path: string): Promise<FileStat>;
  read(path: string): Promise<string>;
  /** Creates the file, which must not exist. */
  create(path: string, text: string, mode: number): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Sets the time of the last change, ms since 1970. */
  touch(path: string, changedAt: number): Promise<void>;
  makeDirectory(path: string, mode: number): Promise<void>;
  changeMode(path: string, mode: number): Promise<void>;
  /** Permission bits of a file or directory, links not followed. */
  mode(path: string): Promise<number>;
  /** The path with every link resolved. */
  resolve(path: string): Promise<string>;
  /** Never keeps the process alive. */
  watch(directory: string, onEvent: (event: WatchEvent) => void, onError: (error: Error) => void): Watching;
  /** For the process's last moment only. */
  readSync(path: string): string;
  removeSync(path: string): void;
}

export const nodeFiles: FileSystem = {
  async list(directory, wanted) {
    const entries = (await readdir(directory, { withFileTypes: true })).filter((entry) => wanted(entry.name, entry));
    return statAll(directory, entries);
  },
  names: (directory) => readdir(directory),
  stat: (path) =>
    new Promise((resolve, reject) => {
      stat(path, (error, found) => (error ? reject(error) : resolve(fileStat(found))));
    }),
  read: (path) => readFile(path, "utf8"),
  create: (path, text, mode) => writeFile(path, text, { flag: "wx", mode }),
  rename,
  remove: unlink,
  touch: (path, changedAt) => utimes(path, changedAt / 1_000, changedAt / 1_000),
  makeDirectory: async (path, mode) => void (await mkdir(path, { mode })),
  changeMode: chmod,
  mode: async (path) => (await lstat(path)).mode & 0o777,
  resolve: (path) => realpath(path),
  watch(directory, onEvent, onError) {
    const watcher = watch(directory, { persistent: false }, (type, name) =>
      onEvent({ name, inPlace: type === "change" }),
    );
    watcher.on("error", onError);
    return watcher;
  },
  readSync: (path) => readFileSync(path, "utf8"),
  removeSync: unlinkSync,
};

/** The `code` of a system error, or its message. */
export function errorCode(error: unknown): string {
  if (typeof error !== "object" || error === null) return String(error);
  if ("code" in error && typeof error.code === "string") return error.code;
  return messageOf(error);
}

/**
 * Temporary file and rename: a reader sees the old text or the new one. Not synced to disk on purpose: what stands here
 * is renewed by its writer or written by a person who sees whether it arrived.
 * @param changedAt time of change to give it, ms since 1970; the system's when left out
 */
export async function writeAtomically(
  files: FileSystem,
  path: string,
  text: string,
  { mode, changedAt }: { readonly mode: number; readonly changedAt?: number },
): Promise<void> {
  const cut = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1;
  const temporary = `${path.slice(0, cut)}.${path.slice(cut)}.${process.pid}${TEMPORARY}`;
  try {
    await files.remove(temporary).catch(ignoreMissing); // left by a crash of a process with the same pid
    await files.create(temporary, text, mode);
    if (changedAt !== undefined) await files.touch(temporary, changedAt);
    await files.rename(temporary, path);
  } catch (error) {
    await files.remove(temporary).catch(() => {});
    throw error;
  }
}

/** End of the name of a file that is being written. */
export const TEMPORARY = ".inmesh-tmp";

export function ignoreMissing(error: unknown): void {
  if (errorCode(error) !== "ENOENT") throw error;
}

/** Callbacks, not promises: a rescan of 1,000 files costs 7 ms of CPU this way and 19 ms the other. */
function statAll(directory: string, entries: readonly Dirent[]): Promise<Listed[]> {
  return new Promise((resolve) => {
    const found: Listed[] = [];
    let open = entries.length;
    if (open === 0) resolve(found);
    for (const { name } of entries) {
      stat(join(directory, name), (error, status) => {
        if (!error) found.push({ name, ...fileStat(status) });
        open -= 1;
        if (open === 0) resolve(found);
      });
    }
  });
}

function fileStat(found: import("node:fs").Stats): FileStat {
  const id = `${found.dev}:${found.ino}`;
  return {
    signature: `${id}:${found.size}:${found.mtimeMs}:${found.ctimeMs}`,
    bytes: found.size,
    directory: found.isDirectory(),
    id,
    changedAt: found.mtimeMs,
  };
}
