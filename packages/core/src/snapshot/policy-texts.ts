/**
 * Policy documents in the texts that hold them, files of a folder or values of a key-value store, changed where they
 * stand: people wrote these texts and will read them again. Pure: whoever keeps the texts writes what comes out.
 */

import { type Document, stringifyDocument } from "@inmesh/model";
import { appendDocument, MESH_CONFIG_API_VERSION, removeDocument, replaceDocument } from "@inmesh/model/internal";
import type { ApplyResult, Revision } from "./source.js";
import { uniqueDocuments } from "./unique.js";

/** Text → documents. `@inmesh/model` has the real one. */
type Parse = (
  text: string,
  options: { readonly file: string; readonly namespace: string },
) => { readonly documents: readonly Document[] };

export interface PolicyTextsOptions {
  readonly parse: Parse;
  /** Of documents that name none. */
  readonly namespace: string;
  /** Path → as messages name it, and as the parser is told. @default the path itself */
  readonly nameOf?: (path: string) => string;
}

export interface TextChange extends Pick<Revision, "before" | "after"> {
  readonly key: string;
  readonly outcome: ApplyResult["outcome"];
  /** Paths that hold the document now, or held it until it was deleted. */
  readonly where: readonly string[];
  /** What to write, in order. */
  readonly edits: readonly TextEdit[];
}

export interface TextEdit {
  readonly path: string;
  /** Whole new text; undefined: nothing is left in it. */
  readonly text: string | undefined;
}

interface StoredText {
  readonly text: string;
  /** Parsed when first asked for. */
  readonly documents: readonly Document[];
}

interface Holder {
  readonly path: string;
  readonly found: Document;
}

type Placed = Pick<TextChange, "where" | "edits"> & { readonly after: string };

type PlainObject = Readonly<Record<string, unknown>>;

export class PolicyTexts {
  readonly #options: PolicyTextsOptions;
  /** By path, in the order in which of two equals the first stands. */
  readonly #stored = new Map<string, StoredText>();

  constructor(options: PolicyTextsOptions) {
    this.#options = options;
  }

  /** Each key once. */
  get documents(): readonly Document[] {
    return uniqueDocuments([...this.#stored.values()].flatMap(({ documents }) => documents)).documents;
  }

  has(path: string): boolean {
    return this.#stored.has(path);
  }

  documentsIn(path: string): readonly Document[] {
    return this.#stored.get(path)?.documents ?? [];
  }

  /** What is there is written over by the next document that goes to the path. */
  forget(path: string): void {
    this.#stored.delete(path);
  }

  /** What is there, as opposed to what is changed. */
  set(path: string, text: string): void {
    const { parse, namespace } = this.#options;
    const file = this.nameOf(path);
    let documents: readonly Document[] | undefined;
    this.#stored.set(path, {
      text,
      get documents() {
        documents ??= parse(text, { file, namespace }).documents;
        return documents;
      },
    });
  }

  nameOf(path: string): string {
    return this.#options.nameOf?.(path) ?? path;
  }

  /**
   * The document in the place of the one that stands under its key, else in a place of its own.
   * @param newPath where that is
   * @param wallTime ms since 1970: written as creation time into a document that is new
   * @param mayStay false: the one that stands at this path moves to a place of its own. `isNew`: it says something else
   */
  put(
    document: Document,
    newPath: () => string,
    wallTime: number,
    mayStay: (path: string, isNew: boolean) => boolean = () => true,
  ): TextChange {
    const { key } = document;
    const holder = this.#standing(key);
    if (holder === undefined) return { key, outcome: "created", ...this.#add(document, newPath(), wallTime) };
    const { path, found } = holder;
    const before = this.#textOf(holder);
    const value = this.#valueFor(path, document, found, wallTime);
    const isNew = !saysTheSame(this.#typed(path, found), value);
    if (!mayStay(path, isNew)) {
      return { key, outcome: "configured", before, ...this.#move(document, holder, newPath, wallTime) };
    }
    if (!isNew) return { key, outcome: "unchanged", before, after: before, where: [path], edits: [] };
    const text = this.#stored.get(path)?.text ?? "";
    const edit = this.#edit(path, this.#replaced(path, text, key, value) ?? appendDocument(text, value));
    const changed = this.#standing(key);
    const after = changed && { after: this.#textOf(changed) };
    return { key, outcome: "configured", before, ...after, where: [path], edits: [edit] };
  }

  /** From every place that holds it; undefined when none does. */
  delete(key: string): TextChange | undefined {
    const standing = this.#standing(key);
    if (standing === undefined) return undefined;
    const before = this.#textOf(standing);
    const edits = this.#takeOut(key);
    return { key, outcome: "deleted", before, where: edits.map(({ path }) => path), edits };
  }

  #add(document: Document, path: string, wallTime: number): Placed {
    const value = this.#valueFor(path, document, undefined, wallTime);
    const after = stringifyDocument(value);
    const text = this.#stored.get(path)?.text;
    return {
      after,
      where: [path],
      edits: [this.#edit(path, text === undefined ? after : appendDocument(text, value))],
    };
  }

  /** Out of every place that holds it, so that it stands in one. With its author's comments where its text was its own. */
  #move(document: Document, { path, found }: Holder, newPath: () => string, wallTime: number): Placed {
    const { key } = document;
    const { text, documents } = this.#stored.get(path)!; // it holds the document
    const left = this.#takeOut(key);
    const isLeft = left.some((each) => each.path === path && each.text !== undefined);
    const own = documents.length === 1 && !isLeft ? text : "";
    const to = newPath();
    const value = this.#valueFor(to, document, found, wallTime);
    const there = this.#stored.get(to)?.text;
    const alone = there === undefined ? this.#replaced(path, own, key, value) : undefined;
    const after = alone ?? stringifyDocument(value);
    const edit = this.#edit(to, there === undefined ? after : appendDocument(there, value));
    return { after, where: [to], edits: [edit, ...left.filter((each) => each.path !== to)] };
  }

  #takeOut(key: string): TextEdit[] {
    const { namespace } = this.#options;
    return [...new Set(this.#holders(key).map(({ path }) => path))].map((path) => {
      const options = { file: this.nameOf(path), namespace };
      let text = this.#stored.get(path)?.text ?? "";
      for (let left = removeDocument(text, key, options); left !== undefined; left = removeDocument(text, key, options))
        text = left;
      return this.#edit(path, text === "" ? undefined : text);
    });
  }

  /** Undefined where the text does not hold the document. */
  #replaced(path: string, text: string, key: string, value: PlainObject): string | undefined {
    const { namespace } = this.#options;
    return replaceDocument(text, key, value, { file: this.nameOf(path), namespace });
  }

  #edit(path: string, text: string | undefined): TextEdit {
    if (text === undefined) this.#stored.delete(path);
    else this.set(path, text);
    return { path, text };
  }

  #standing(key: string): Holder | undefined {
    const holders = this.#holders(key);
    const [standing] = uniqueDocuments(holders.map(({ found }) => found)).documents;
    return holders.find(({ found }) => found === standing);
  }

  /** Texts that show the name are parsed first: one that spells it otherwise is looked for only when none of them has it. */
  #holders(key: string): Holder[] {
    const name = key.slice(key.lastIndexOf("/") + 1);
    const holdersIn = (shown: boolean) =>
      [...this.#stored]
        .filter(([, { text }]) => text.includes(name) === shown)
        .flatMap(([path, { documents }]) =>
          documents.filter((found) => found.key === key).map((found) => ({ path, found })),
        );
    const plain = holdersIn(true);
    return plain.length > 0 ? plain : holdersIn(false);
  }

  /** As its author wrote it where it stands alone. */
  #textOf({ path, found }: Holder): string {
    const { text, documents } = this.#stored.get(path)!; // it holds the document
    return documents.length === 1 ? text : stringifyDocument(this.#typed(path, found));
  }

  /** What is written: with the namespace it is meant for, and the time at which it first came here. */
  #valueFor(path: string, document: Document, before: Document | undefined, wallTime: number): PlainObject {
    if (document.kind === "MeshConfig") return this.#typed(path, document); // it has no metadata
    const { namespace } = this.#options;
    const metadata = { ...record(document.value["metadata"]) };
    const now = `${new Date(wallTime).toISOString().slice(0, 19)}Z`;
    metadata["creationTimestamp"] =
      record(before?.value["metadata"])["creationTimestamp"] ?? metadata["creationTimestamp"] ?? now;
    const named = metadata["namespace"] !== undefined || document.kind === "Namespace";
    if (!named && document.namespace !== namespace) metadata["namespace"] = document.namespace;
    return { ...document.value, metadata };
  }

  /** A MeshConfig says what it is, but in a file whose name does. */
  #typed(path: string, { kind, value }: Document): PlainObject {
    if (kind !== "MeshConfig" || /(^|[\\/])mesh\.(ya?ml|json)$/.test(this.nameOf(path))) return value;
    return { apiVersion: MESH_CONFIG_API_VERSION, kind, ...value };
  }
}

/** A document written by hand has no creation time, and is not touched for the sake of one. */
function saysTheSame(stored: PlainObject, value: PlainObject): boolean {
  if (canonical(stored) === canonical(value)) return true;
  if (record(stored["metadata"])["creationTimestamp"] !== undefined) return false;
  const { creationTimestamp: _, ...metadata } = record(value["metadata"]);
  return canonical(stored) === canonical({ ...value, metadata });
}

function record(value: unknown): PlainObject {
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
