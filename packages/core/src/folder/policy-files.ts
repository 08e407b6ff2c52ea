/** What the policy files of a folder say, file by file: the part of the registry that needs no disk. */

import type { Document, Problem } from "@inmesh/model";
import { registryProblem } from "../snapshot/registry-problem.js";
import { uniqueDocuments } from "../snapshot/unique.js";

/** Text → documents and problems. `@inmesh/model` has the real one. */
export type ParseDocuments = (
  text: string,
  options: { readonly file: string; readonly namespace: string },
) => ParsedText;

interface ParsedText {
  /** None when the text is no YAML. */
  readonly documents: readonly Document[];
  readonly problems: readonly Problem[];
}

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
    const documents = before === undefined ? parsed.documents : succeed(before, text, parsed);
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

/**
 * Documents of a file's new text. Those that stand on the same lines with the same text stay the same objects. While
 * one document in it cannot be identified those that vanished stay, since it may be one of them; while the text is no
 * YAML that is all of them.
 */
function succeed(before: PolicyFile, text: string, { documents, problems }: ParsedText): readonly Document[] {
  const oldSlices = slices(before.documents, before.text);
  const newSlices = slices(documents, text);
  const old = new Map(before.documents.map((document, index) => [document.key, { document, slice: oldSlices[index] }]));
  const kept = documents.map((document, index) => {
    const same = old.get(document.key);
    const unchanged =
      same !== undefined &&
      same.slice === newSlices[index] &&
      same.document.hash === document.hash &&
      same.document.origin.line === document.origin.line &&
      same.document.origin.column === document.origin.column;
    return unchanged ? same.document : document;
  });
  if (!problems.some(({ severity }) => severity === "error")) return kept;
  const keys = new Set(documents.map(({ key }) => key));
  return [...kept, ...before.documents.filter(({ key }) => !keys.has(key))];
}

/** Text of each document: from its first line to the first line of the next. */
function slices(documents: readonly Document[], text: string): string[] {
  const lines = text.split("\n");
  return documents.map(({ origin }, index) => {
    const next = documents[index + 1]?.origin.line;
    return lines.slice(Math.max(0, origin.line - 1), next === undefined ? undefined : next - 1).join("\n");
  });
}
