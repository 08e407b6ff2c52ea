/**
 * What was changed through this registry, by whom and why: one file per document below `.history/`, a JSON line per
 * change, the last ones kept. Written under the store's lock, so no two writers meet here.
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
import type { ChangeNote, Revision } from "../snapshot/source.js";
import { errorCode, type FileSystem, ignoreMissing, writeAtomically } from "./files.js";

/** Name of the folder of changes. */
export const HISTORY = ".history";

/** Changes kept of one document, and how much they may say together. */
const KEPT = 50;
const MAX_CHARACTERS = 4 * 1024 * 1024;
/** Of a file's name, leaving room for the one that it is written under first. */
const MAX_NAME = 180;

export type NewRevision = Omit<Revision, "id" | "at" | keyof ChangeNote>;

export class FolderHistory {
  readonly #directory: string;
  readonly #files: FileSystem;

  /** @param directory made with the first change, when its parent exists */
  constructor(directory: string, files: FileSystem) {
    this.#directory = directory;
    this.#files = files;
  }

  /** @param at ms since 1970 @throws NodeJS.ErrnoException when it cannot be written */
  async add(change: NewRevision, at: number, note: ChangeNote): Promise<void> {
    const before = await this.#read(change.key);
    const id = `${Number(before.at(-1)?.id ?? 0) + 1}`;
    const { who, reason } = note;
    const made: Revision = { id, at, who, ...(reason !== undefined && { reason }), ...change };
    const lines = [...before, made].slice(-KEPT).map((revision) => JSON.stringify(revision));
    let characters = 0;
    const fit = lines.reverse().filter((line, index) => {
      characters += line.length;
      return index === 0 || characters <= MAX_CHARACTERS;
    });
    for (const part of partsOf(this.#directory)) await this.#files.makeDirectory(part, 0o700).catch(ignoreExisting);
    await writeAtomically(this.#files, this.#path(change.key), `${fit.reverse().join("\n")}\n`, { mode: 0o600 });
  }

  /** The newest first. @throws NodeJS.ErrnoException when it cannot be read */
  async of(key: string): Promise<readonly Revision[]> {
    return (await this.#read(key)).reverse();
  }

  async #read(key: string): Promise<Revision[]> {
    const text = await this.#files.read(this.#path(key)).catch((error: unknown) => {
      ignoreMissing(error);
      return "";
    });
    return text.split("\n").flatMap((line) => {
      const revision = readRevision(line);
      return revision?.key === key ? [revision] : [];
    });
  }

  #path(key: string): string {
    const name = key.split("/").map(encodeURIComponent).join("+");
    const short = createHash("sha256").update(key).digest("hex").slice(0, 32);
    return join(
      this.#directory,
      `${name.length <= MAX_NAME ? name : `${name.slice(0, MAX_NAME - 33)}+${short}`}.jsonl`,
    );
  }
}

/** `.history` itself, and below it the folder of a registry that is one file. */
function partsOf(directory: string): string[] {
  const at = directory.lastIndexOf(HISTORY) + HISTORY.length;
  return at < directory.length ? [directory.slice(0, at), directory] : [directory];
}

function ignoreExisting(error: unknown): void {
  if (errorCode(error) !== "EEXIST") throw error;
}

/** Undefined for a line that somebody wrote or cut by hand. */
function readRevision(line: string): Revision | undefined {
  if (line === "") return undefined;
  try {
    const found = JSON.parse(line) as Partial<Revision> | null;
    const { id, key, at, who, outcome } = found ?? {};
    const whole = [id, key, who, outcome].every((field) => typeof field === "string") && typeof at === "number";
    return whole ? (found as Revision) : undefined;
  } catch {
    return undefined;
  }
}
