/** The write side of the folder: changes documents where they stand, in files that people wrote and will read again. */

import { basename, dirname, join } from "node:path";
import { type Document, stringifyDocument } from "@inmesh/model";
import { appendDocument, removeDocument, replaceDocument } from "@inmesh/model/internal";
import { MeshError } from "../errors.js";
import type { Clock } from "../runtime/clock.js";
import type { Random } from "../runtime/random.js";
import type { Host } from "../snapshot/host.js";
import type { ApplyResult, Store } from "../snapshot/source.js";
import { uniqueDocuments } from "../snapshot/unique.js";
import { errorCode, type FileSystem, writeAtomically } from "./files.js";
import { type HeldLock, lockFolder } from "./folder-lock.js";
import type { ParseDocuments } from "./policy-files.js";
import { isPolicyFile, readPolicyTree } from "./policy-tree.js";

export interface FolderStoreOptions {
  /** Absolute: a folder, or one policy file. */
  readonly root: string;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  readonly host: Host;
  readonly parse: ParseDocuments;
  readonly namespace: string;
}

interface StoredFile {
  readonly text: string;
  /** Parsed when first asked for. */
  readonly documents: readonly Document[];
}

export class FolderStore implements Store {
  readonly #options: FolderStoreOptions;
  /** Changes of this process wait for one another before they compete with those of others. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: FolderStoreOptions) {
    this.#options = options;
  }

  /** As the folder is at this moment. @throws {MeshError} CONFIG_UNAVAILABLE when it cannot be read */
  async list(): Promise<readonly Document[]> {
    const stored = await this.#load();
    return uniqueDocuments([...stored.values()].flatMap(({ documents }) => documents)).documents;
  }

  /**
   * Each document goes to the file that holds it, else to a file of its own.
   * @throws {MeshError} CONFIG_UNAVAILABLE when the folder cannot be written; documents before the failing one are
   */
  apply(documents: readonly Document[]): Promise<readonly ApplyResult[]> {
    return this.#change(async (lock) => {
      const results: ApplyResult[] = [];
      const stored = await this.#load();
      for (const document of documents) results.push(await this.#put(stored, document, lock));
      return results;
    });
  }

  /** From every file that holds it. @throws {MeshError} CONFIG_UNAVAILABLE when the folder cannot be written */
  delete(keys: readonly string[]): Promise<readonly ApplyResult[]> {
    return this.#change(async (lock) => {
      const results: ApplyResult[] = [];
      const stored = await this.#load();
      for (const key of keys) {
        for (const path of new Set(findHolders(stored, key).map((holder) => holder.path))) {
          await this.#remove(stored, path, key, lock);
          results.push({ key, outcome: "deleted", where: this.#name(path) });
        }
      }
      return results;
    });
  }

  #change<T>(work: (lock: HeldLock) => Promise<T>): Promise<T> {
    const { root, ...options } = this.#options;
    const done = this.#last.then(async () => {
      const lock = await lockFolder({ ...options, directory: isPolicyFile(root) ? dirname(root) : root });
      try {
        return await work(lock);
      } finally {
        await lock.release();
      }
    });
    this.#last = done.catch(() => {});
    return done;
  }

  /** By path relative to the root, in order. */
  async #load(): Promise<Map<string, StoredFile>> {
    const { root, files } = this.#options;
    const stored = new Map<string, StoredFile>();
    try {
      const tree = await readPolicyTree(files, root);
      for (const path of [...tree.files.keys()].sort()) {
        const text = await files.read(join(root, path));
        stored.set(path, this.#parse(path, text));
      }
    } catch (error) {
      // A single file that is not there yet is made by the first apply.
      if (errorCode(error) === "ENOENT" && isPolicyFile(root)) return stored;
      throw new MeshError("CONFIG_UNAVAILABLE", `${root} cannot be read: ${errorCode(error)}`, { cause: error });
    }
    return stored;
  }

  async #put(stored: Map<string, StoredFile>, document: Document, lock: HeldLock): Promise<ApplyResult> {
    const { key } = document;
    const { namespace } = this.#options;
    const holders = findHolders(stored, key);
    const standing = uniqueDocuments(holders.map(({ found }) => found)).documents[0];
    const holder = holders.find(({ found }) => found === standing);
    const value = this.#stamped(document, holder?.found);
    if (holder === undefined) {
      const path = this.#newPath(stored, document);
      const text = stored.get(path)?.text;
      await this.#write(
        stored,
        path,
        text === undefined ? stringifyDocument(value) : appendDocument(text, value),
        lock,
      );
      return { key, outcome: "created", where: this.#name(path) };
    }
    const { path, found } = holder;
    if (saysTheSame(found.value, value)) return { key, outcome: "unchanged", where: this.#name(path) };
    const { text } = stored.get(path)!; // it holds the document
    const edited = replaceDocument(text, key, value, { file: this.#name(path), namespace });
    await this.#write(stored, path, edited ?? appendDocument(text, value), lock);
    return { key, outcome: "configured", where: this.#name(path) };
  }

  async #remove(stored: Map<string, StoredFile>, path: string, key: string, lock: HeldLock): Promise<void> {
    const { root, files, namespace } = this.#options;
    let text = stored.get(path)?.text ?? "";
    const options = { file: this.#name(path), namespace };
    for (let left = removeDocument(text, key, options); left !== undefined; left = removeDocument(text, key, options))
      text = left;
    if (text !== "") return this.#write(stored, path, text, lock);
    await lock.check();
    await this.#do(path, () => files.remove(join(root, path)));
    stored.delete(path);
  }

  /** Through a link to the file behind it, with the mode it had. */
  async #write(stored: Map<string, StoredFile>, path: string, text: string, lock: HeldLock): Promise<void> {
    const { root, files } = this.#options;
    const known = stored.has(path);
    await lock.check();
    await this.#do(path, async () => {
      const target = known ? await files.resolve(join(root, path)) : join(root, path);
      const mode = known ? await files.mode(target) : 0o644;
      await writeAtomically(files, target, text, { mode });
    });
    stored.set(path, this.#parse(path, text));
  }

  async #do(path: string, work: () => Promise<void>): Promise<void> {
    await work().catch((error: unknown) => {
      const message = `${this.#name(path)} cannot be written: ${errorCode(error)}`;
      throw new MeshError("CONFIG_UNAVAILABLE", message, { cause: error });
    });
  }

  #parse(path: string, text: string): StoredFile {
    const { parse, namespace } = this.#options;
    const file = this.#name(path);
    let documents: readonly Document[] | undefined;
    return {
      text,
      get documents() {
        documents ??= parse(text, { file, namespace }).documents;
        return documents;
      },
    };
  }

  #name(path: string): string {
    return path === "" ? basename(this.#options.root) : path;
  }

  /** What is written: with the namespace it is meant for, and the time at which it first came here. */
  #stamped(document: Document, before: Document | undefined): Readonly<Record<string, unknown>> {
    if (document.kind === "MeshConfig") return document.value; // bare: it has no metadata
    const { clock, namespace } = this.#options;
    const metadata = { ...record(document.value["metadata"]) };
    const now = `${new Date(clock.wallTime()).toISOString().slice(0, 19)}Z`;
    metadata["creationTimestamp"] =
      record(before?.value["metadata"])["creationTimestamp"] ?? metadata["creationTimestamp"] ?? now;
    const named = metadata["namespace"] !== undefined || document.kind === "Namespace";
    if (!named && document.namespace !== namespace) metadata["namespace"] = document.namespace;
    return { ...document.value, metadata };
  }

  #newPath(stored: ReadonlyMap<string, StoredFile>, { kind, namespace, name }: Document): string {
    if (isPolicyFile(this.#options.root)) return "";
    if (kind === "MeshConfig") return "mesh.yaml";
    const safe = `${kind}-${namespace}-${name}`
      .toLowerCase()
      .replace(/[^a-z0-9-]/g, "-")
      .slice(0, 200);
    for (let number = 1; ; number++) {
      const path = `${safe}${number === 1 ? "" : `-${number}`}.yaml`;
      if (!stored.has(path)) return path;
    }
  }
}

/** Files that show the name are parsed first: one that spells it otherwise is looked for only when none of them has it. */
function findHolders(stored: ReadonlyMap<string, StoredFile>, key: string): { path: string; found: Document }[] {
  const name = key.slice(key.lastIndexOf("/") + 1);
  const holdersIn = (shown: boolean) =>
    [...stored]
      .filter(([, { text }]) => text.includes(name) === shown)
      .flatMap(([path, { documents }]) =>
        documents.filter((found) => found.key === key).map((found) => ({ path, found })),
      );
  const plain = holdersIn(true);
  return plain.length > 0 ? plain : holdersIn(false);
}

/** A document written by hand has no creation time, and is not touched for the sake of one. */
function saysTheSame(stored: Readonly<Record<string, unknown>>, value: Readonly<Record<string, unknown>>): boolean {
  if (canonical(stored) === canonical(value)) return true;
  if (record(stored["metadata"])["creationTimestamp"] !== undefined) return false;
  const { creationTimestamp: _, ...metadata } = record(value["metadata"]);
  return canonical(stored) === canonical({ ...value, metadata });
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

/** Equal for values that say the same, whatever the order of their keys. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, found: unknown) =>
    typeof found === "object" && found !== null && !Array.isArray(found)
      ? Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)))
      : found,
  );
}
