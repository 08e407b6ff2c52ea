/** The write side of the folder: changes documents where they stand, in files that people wrote and will read again. */

import { basename, dirname, join } from "node:path";
import type { Document, Problem } from "@inmesh/model";
import { MeshError } from "../errors.js";
import type { Clock } from "../runtime/clock.js";
import type { Random } from "../runtime/random.js";
import type { Host } from "../snapshot/host.js";
import { PolicyTexts, type TextChange } from "../snapshot/policy-texts.js";
import { registryProblem } from "../snapshot/registry-problem.js";
import type { ApplyResult, ChangeNote, Revision, Store } from "../snapshot/source.js";
import type { ParseDocuments } from "../snapshot/succeeding-documents.js";
import { errorCode, type FileSystem, ignoreMissing, writeAtomically } from "./files.js";
import { FolderHistory, HISTORY } from "./folder-history.js";
import { type HeldLock, lockFolder } from "./folder-lock.js";
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
  /** Told when a change was made and could not be noted in the history. */
  readonly onWarning?: (warning: Problem) => void;
}

/** Of changes that a program makes without saying who it is. */
const NOBODY: ChangeNote = { who: "unknown" };

export class FolderStore implements Store {
  readonly #options: FolderStoreOptions;
  readonly #directory: string;
  readonly #history: FolderHistory;
  /** Changes of this process wait for one another before they compete with those of others. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: FolderStoreOptions) {
    this.#options = options;
    const { root, files } = options;
    this.#directory = isPolicyFile(root) ? dirname(root) : root;
    // A folder may hold several registries of one file each.
    const own = isPolicyFile(root) ? join(HISTORY, basename(root)) : HISTORY;
    this.#history = new FolderHistory(join(this.#directory, own), files);
  }

  /** As the folder is at this moment. @throws {MeshError} CONFIG_UNAVAILABLE when it cannot be read */
  async list(): Promise<readonly Document[]> {
    return (await this.#load()).documents;
  }

  /**
   * Each document goes to the file that holds it, else to a file of its own.
   * @throws {MeshError} CONFIG_UNAVAILABLE when the folder cannot be written; documents before the failing one are
   */
  apply(documents: readonly Document[], note = NOBODY): Promise<readonly ApplyResult[]> {
    return this.#change(async (lock) => {
      const results: ApplyResult[] = [];
      const texts = await this.#load();
      for (const document of documents) {
        const newPath = () => this.#newPath(texts, document);
        const change = texts.put(document, newPath, this.#options.clock.wallTime());
        results.push(...(await this.#make(change, texts, lock, note)));
      }
      return results;
    });
  }

  /** From every file that holds it. @throws {MeshError} CONFIG_UNAVAILABLE when the folder cannot be written */
  delete(keys: readonly string[], note = NOBODY): Promise<readonly ApplyResult[]> {
    return this.#change(async (lock) => {
      const results: ApplyResult[] = [];
      const texts = await this.#load();
      for (const key of keys) {
        const change = texts.delete(key);
        if (change !== undefined) results.push(...(await this.#make(change, texts, lock, note)));
      }
      return results;
    });
  }

  /** @throws {MeshError} CONFIG_UNAVAILABLE when it cannot be read */
  async history(key: string): Promise<readonly Revision[]> {
    return this.#history.of(key).catch((error: unknown) => {
      const message = `the history in ${join(this.#directory, HISTORY)} cannot be read: ${errorCode(error)}`;
      throw new MeshError("CONFIG_UNAVAILABLE", message, { cause: error });
    });
  }

  #change<T>(work: (lock: HeldLock) => Promise<T>): Promise<T> {
    const { root: _, ...options } = this.#options;
    const done = this.#last.then(async () => {
      const lock = await lockFolder({ ...options, directory: this.#directory });
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
  async #load(): Promise<PolicyTexts> {
    const { root, files, parse, namespace } = this.#options;
    const nameOf = (path: string): string => (path === "" ? basename(root) : path);
    const texts = new PolicyTexts({ parse, namespace, nameOf });
    try {
      const tree = await readPolicyTree(files, root);
      for (const path of [...tree.files.keys()].sort()) texts.set(path, await files.read(join(root, path)));
    } catch (error) {
      // A single file that is not there yet is made by the first apply.
      if (errorCode(error) === "ENOENT" && isPolicyFile(root)) return texts;
      throw new MeshError("CONFIG_UNAVAILABLE", `${root} cannot be read: ${errorCode(error)}`, { cause: error });
    }
    return texts;
  }

  async #make(change: TextChange, texts: PolicyTexts, lock: HeldLock, note: ChangeNote): Promise<ApplyResult[]> {
    const { key, outcome, where, edits, ...beforeAndAfter } = change;
    const results = where.map((path) => ({ key, outcome, where: texts.nameOf(path) }));
    if (outcome === "unchanged") return results;
    for (const { path, text } of edits) {
      if (text === undefined) await this.#remove(path, texts.nameOf(path), lock);
      else await this.#write(path, texts.nameOf(path), text, lock);
    }
    const at = this.#options.clock.wallTime();
    // The change stands, and must not seem to have failed because of its record.
    await this.#history.add({ key, outcome, ...beforeAndAfter }, at, note).catch((error: unknown) => {
      const message = `the change of ${key} is not in the history: ${join(this.#directory, HISTORY)} cannot be written (${errorCode(error)}). The change itself is made; correct the owner or mode of that folder.`;
      this.#options.onWarning?.(registryProblem("IM0713", "warning", message, { resource: key }));
    });
    return results;
  }

  async #remove(path: string, name: string, lock: HeldLock): Promise<void> {
    const { root, files } = this.#options;
    await lock.check();
    await this.#do(name, () => files.remove(join(root, path)));
  }

  /** Through a link to the file behind it, with the mode it had. */
  async #write(path: string, name: string, text: string, lock: HeldLock): Promise<void> {
    const { root, files } = this.#options;
    await lock.check();
    await this.#do(name, async () => {
      const known = await files.resolve(join(root, path)).catch(ignoreMissing);
      const mode = known === undefined ? 0o644 : await files.mode(known);
      await writeAtomically(files, known ?? join(root, path), text, { mode });
    });
  }

  async #do(name: string, work: () => Promise<void>): Promise<void> {
    await work().catch((error: unknown) => {
      const message = `${name} cannot be written: ${errorCode(error)}`;
      throw new MeshError("CONFIG_UNAVAILABLE", message, { cause: error });
    });
  }

  #newPath(texts: PolicyTexts, { kind, namespace, name }: Document): string {
    if (isPolicyFile(this.#options.root)) return "";
    if (kind === "MeshConfig") return "mesh.yaml";
    const safe = `${kind}-${namespace}-${name}`
      .toLowerCase()
      .replace(/[^a-z0-9-]/g, "-")
      .slice(0, 200);
    for (let number = 1; ; number++) {
      const path = `${safe}${number === 1 ? "" : `-${number}`}.yaml`;
      if (!texts.has(path)) return path;
    }
  }
}
