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
   */
  put(document: Document, newPath: () => string, wallTime: number): TextChange {
    const { key } = document;
    const { namespace } = this.#options;
    const holder = this.#standing(key);
    const path = holder?.path ?? newPath();
    const value = this.#valueFor(path, document, holder?.found, wallTime);
    const text = this.#stored.get(path)?.text;
    if (holder === undefined) {
      const after = stringifyDocument(value);
      const whole = text === undefined ? after : appendDocument(text, value);
      return { key, outcome: "created", after, edits: [this.#edit(path, whole)] };
    }
    const before = this.#textOf(holder);
    if (saysTheSame(this.#typed(path, holder.found), value)) {
      return { key, outcome: "unchanged", before, after: before, edits: [{ path, text }] };
    }
    const edited = replaceDocument(text ?? "", key, value, { file: this.nameOf(path), namespace });
    const edit = this.#edit(path, edited ?? appendDocument(text ?? "", value));
    const changed = this.#standing(key);
    return { key, outcome: "configured", before, ...(changed && { after: this.#textOf(changed) }), edits: [edit] };
  }

  /** From every place that holds it; undefined when none does. */
  delete(key: string): TextChange | undefined {
    const { namespace } = this.#options;
    const standing = this.#standing(key);
    if (standing === undefined) return undefined;
    const before = this.#textOf(standing);
    const edits = [...new Set(this.#holders(key).map(({ path }) => path))].map((path) => {
      const options = { file: this.nameOf(path), namespace };
      let text = this.#stored.get(path)?.text ?? "";
      for (let left = removeDocument(text, key, options); left !== undefined; left = removeDocument(text, key, options))
        text = left;
      return this.#edit(path, text === "" ? undefined : text);
    });
    return { key, outcome: "deleted", before, edits };
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
