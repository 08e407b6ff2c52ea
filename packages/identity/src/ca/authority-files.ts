/**
 * Files of an authority: private ones for this user alone, on the disk before anything names them. Whoever can read a
 * key here can be anybody in the mesh, so a key that others can read is refused.
 */

import { type FileHandle, open } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type FileSystem, fileErrorCode, ignoreMissing, nodeFiles } from "@inmesh/core/internal";
import { AuthorityProblem } from "./authority-problem.js";

export interface AuthorityFiles extends FileSystem {
  /** Creates the file, which must not exist, and returns once the disk has it. */
  createSynced(path: string, text: string, mode: number): Promise<void>;
  /** Adds to the end in one piece; creates the file if need be. */
  append(path: string, text: string, mode: number): Promise<void>;
  /** The names in a directory reach the disk. */
  syncDirectory(path: string): Promise<void>;
}

export const authorityFiles: AuthorityFiles = {
  ...nodeFiles,
  createSynced: (path, text, mode) =>
    using(open(path, "wx", mode), async (file) => {
      await file.writeFile(text);
      await file.sync();
    }),
  append: (path, text, mode) => using(open(path, "a", mode), (file) => file.appendFile(text)),
  // Windows has no such thing.
  syncDirectory: async (path) => {
    if (process.platform !== "win32") await using(open(path, "r"), (directory) => directory.sync());
  },
};

export const PRIVATE_MODE = 0o600;
export const PRIVATE_FOLDER_MODE = 0o700;
const NEW = ".inmesh-new";

/** In bytes: what a file here may hold at most. */
const MOST_BYTES = 1_000_000;

/** Whole and on the disk, or not at all. @throws {AuthorityProblem} */
export async function writePrivate(files: AuthorityFiles, path: string, text: string): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}${NEW}`);
  try {
    await files.remove(temporary).catch(ignoreMissing);
    await files.createSynced(temporary, text, PRIVATE_MODE);
    await files.rename(temporary, path);
    await files.syncDirectory(dirname(path));
  } catch (error) {
    await files.remove(temporary).catch(() => {});
    throw cannotWrite(path, error);
  }
}

/** A private one that others can read is nobody's secret any more. @throws {AuthorityProblem}, or ENOENT as it came */
export async function readPrivate(files: AuthorityFiles, path: string): Promise<string> {
  await demandPrivate(files, path, OTHERS_READ);
  return readBounded(files, path);
}

/** @throws {AuthorityProblem}, or ENOENT as it came */
export async function readBounded(files: AuthorityFiles, path: string): Promise<string> {
  try {
    const { bytes } = await files.stat(path);
    if (bytes > MOST_BYTES) throw new AuthorityProblem(`${path} has ${bytes} bytes`, "It is not what the CA wrote.");
    return await files.read(path);
  } catch (error) {
    if (error instanceof AuthorityProblem || fileErrorCode(error) === "ENOENT") throw error;
    throw cannotRead(path, error);
  }
}

/** Any access of group and others. */
export const OTHERS_READ = 0o077;
/** Others could put a key of theirs in its place. */
export const OTHERS_WRITE = 0o022;

/** @param bits that must not be set @throws {AuthorityProblem}, or ENOENT as it came */
export async function demandPrivate(files: AuthorityFiles, path: string, bits: number): Promise<void> {
  if (process.platform === "win32") return; // access is by lists there, which these bits do not show
  const mode = await files.mode(path).catch((error: unknown) => {
    throw fileErrorCode(error) === "ENOENT" ? error : cannotRead(path, error);
  });
  if ((mode & bits) === 0) return;
  const what = bits === OTHERS_READ ? "can be read or changed by others than its owner" : "can be changed by others";
  const right = bits === OTHERS_READ ? "600" : "700";
  throw new AuthorityProblem(
    `${path} ${what} (mode ${(mode & 0o777).toString(8).padStart(4, "0")})`,
    `Whoever has this key can be anybody in the mesh, so it is not used. Run chmod ${right} ${path}; if others may have read it, make a new root (inmesh ca rotate --root).`,
  );
}

export function cannotWrite(path: string, error: unknown): AuthorityProblem {
  if (error instanceof AuthorityProblem) return error;
  const code = fileErrorCode(error);
  const advice =
    code === "ENOSPC" || code === "EDQUOT"
      ? "Nothing was changed. Make room and try again."
      : code === "EROFS" || code === "EACCES" || code === "EPERM"
        ? "Make the folder writable for this user, or make the CA elsewhere (inmesh ca init) and point to it with INMESH_IDENTITY=ca:DIR."
        : "Nothing was changed.";
  return new AuthorityProblem(`${path} cannot be written: ${wordsOf(code)}`, advice, { cause: error });
}

export function cannotRead(path: string, error: unknown): AuthorityProblem {
  const code = fileErrorCode(error);
  return new AuthorityProblem(
    `${path} cannot be read: ${wordsOf(code)}`,
    "Run as the user who made the CA, or give this process another source of certificates (INMESH_IDENTITY).",
    { cause: error },
  );
}

function wordsOf(code: string): string {
  return WORDS[code] ?? code;
}

const WORDS: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EROFS: "the disk is read-only",
  EACCES: "no permission",
  EPERM: "no permission",
  EIO: "the disk reports an error",
};

async function using(opening: Promise<FileHandle>, act: (file: FileHandle) => Promise<void>): Promise<void> {
  const file = await opening;
  try {
    await act(file);
  } finally {
    await file.close();
  }
}
