/** Who was given which serial number, and what was done to the authority: a line of JSON each, in two files of bounded size. */

import { join } from "node:path";
import { fileErrorCode, ignoreMissing } from "@inmesh/core/internal";
import { type AuthorityFiles, PRIVATE_MODE, readBounded } from "./authority-files.js";

export interface IssueEntry {
  /** ISO 8601. */
  readonly at: string;
  readonly event: "issued" | "made" | "intermediate" | "root-added" | "root-used" | "root-dropped";
  /** Of the certificate, in hex. */
  readonly serial: string;
  /** SPIFFE id, or the common name of an authority's certificate. */
  readonly id: string;
  readonly notAfter: string;
  readonly pid: number;
}

const FILE = "issued.jsonl";
const OLD_FILE = "issued.1.jsonl";
/** In bytes: 4,000 entries. With the old file twice as many are kept. */
const MOST_BYTES = 800_000;

export class IssueLog {
  readonly #files: AuthorityFiles;
  readonly #directory: string;

  constructor(files: AuthorityFiles, directory: string) {
    this.#files = files;
    this.#directory = directory;
  }

  /** Rejects when the disk does not take it. */
  async add(entry: IssueEntry): Promise<void> {
    const path = join(this.#directory, FILE);
    await this.#files.append(path, `${JSON.stringify(entry)}\n`, PRIVATE_MODE);
  }

  /** Whether `turn` is due. */
  async isFull(): Promise<boolean> {
    const { bytes } = await this.#files.stat(join(this.#directory, FILE)).catch(() => ({ bytes: 0 }));
    return bytes > MOST_BYTES;
  }

  /** Begins a new file; to be called under the folder's lock. */
  async turn(): Promise<void> {
    if (await this.isFull())
      await this.#files.rename(join(this.#directory, FILE), join(this.#directory, OLD_FILE)).catch(ignoreMissing);
  }

  /** Newest first; lines that a crash cut are left out. */
  async read(most: number): Promise<readonly IssueEntry[]> {
    const entries: IssueEntry[] = [];
    for (const name of [FILE, OLD_FILE]) {
      if (entries.length >= most) break;
      const text = await readBounded(this.#files, join(this.#directory, name)).catch((error: unknown) => {
        if (fileErrorCode(error) === "ENOENT") return "";
        throw error;
      });
      for (const line of text.split("\n").reverse()) {
        const entry = parseEntry(line);
        if (entry !== undefined && entries.length < most) entries.push(entry);
      }
    }
    return entries;
  }
}

function parseEntry(line: string): IssueEntry | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && "serial" in value ? (value as IssueEntry) : undefined;
  } catch {
    return undefined;
  }
}
