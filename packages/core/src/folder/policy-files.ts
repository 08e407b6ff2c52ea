/** What the policy files of a folder say, file by file: the part of the registry that needs no disk. */

import type { Document, Problem } from "@inmesh/model";
import { registryProblem } from "../snapshot/registry-problem.js";
import { type ParseDocuments, succeedingDocuments } from "../snapshot/succeeding-documents.js";
import { uniqueDocuments } from "../snapshot/unique.js";

interface PolicyFile {
  readonly text: string;
  readonly documents: readonly Document[];
  /** What parsing said about `text`. */
  readonly problems: readonly Problem[];
  /** Why the last look at the file gave nothing, when it did not. */
  readonly unreadable?: Problem;
}

export class PolicyFiles {
  readonly #parse: ParseDocuments;
  readonly #namespace: string;
  readonly #files = new Map<string, PolicyFile>();
  #result: { documents: Document[]; problems: Problem[] } | undefined;

  /** @param namespace of documents that name none */
  constructor(parse: ParseDocuments, namespace: string) {
    this.#parse = parse;
    this.#namespace = namespace;
  }

  /** @returns whether anything changed */
  update(path: string, text: string): boolean {
    const before = this.#files.get(path);
    if (before?.text === text) {
      if (before.unreadable === undefined) return false;
      const { unreadable: _, ...readable } = before;
      return this.#set(path, readable);
    }
    const parsed = this.#parse(text, { file: path, namespace: this.#namespace });
    const documents = before === undefined ? parsed.documents : succeedingDocuments(before, text, parsed);
    return this.#set(path, { text, documents, problems: parsed.problems });
  }

  /** The file exists and cannot be read: what it last said stands. */
  unreadable(path: string, reason: string): boolean {
    const before = this.#files.get(path) ?? { text: "", documents: [], problems: [] };
    const stands = before.documents.length > 0 ? "What it last said stays in force" : "It adds nothing to the mesh";
    const message = `${path} cannot be read: ${reason}. ${stands}; make the file readable for this user.`;
    if (before.unreadable?.message === message) return false;
    return this.#set(path, { ...before, unreadable: registryProblem("IM0702", "error", message, { file: path }) });
  }

  remove(path: string): boolean {
    this.#result = undefined;
    return this.#files.delete(path);
  }

  has(path: string): boolean {
    return this.#files.has(path);
  }

  /** In order of path, then of position. The same object until something changes. */
  get result(): { readonly documents: readonly Document[]; readonly problems: readonly Problem[] } {
    if (this.#result === undefined) {
      const paths = [...this.#files.keys()].sort();
      const files = paths.map((path) => this.#files.get(path)!); // listed just above
      const unique = uniqueDocuments(files.flatMap(({ documents }) => documents));
      const own = files.flatMap(({ problems, unreadable }) => (unreadable ? [...problems, unreadable] : problems));
      this.#result = { documents: unique.documents, problems: [...own, ...unique.problems] };
    }
    return this.#result;
  }

  #set(path: string, file: PolicyFile): boolean {
    this.#files.set(path, file);
    this.#result = undefined;
    return true;
  }
}
