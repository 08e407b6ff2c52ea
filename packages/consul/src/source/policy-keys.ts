/** Policy in the key-value store: one key for each resource, in the order in which the keys were made. */

import { type ParseDocuments, type ParsedText, succeedingDocuments } from "@inmesh/core/internal";
import type { Document, Problem } from "@inmesh/model";
import { ConsulError } from "../client/consul-error.js";
import { record } from "../registrar/read.js";

interface KvEntry {
  readonly Key: string;
  /** Base64; null for a key without a value. */
  readonly Value: string | null;
  readonly CreateIndex: number;
}

interface PolicyKey extends ParsedText {
  readonly value: string;
  readonly created: number;
}

export class PolicyKeys {
  readonly #parse: ParseDocuments;
  readonly #namespace: string;
  #keys = new Map<string, PolicyKey>();
  documents: readonly Document[] = [];
  problems: readonly Problem[] = [];

  /** @param namespace of documents that name none */
  constructor(parse: ParseDocuments, namespace: string) {
    this.#parse = parse;
    this.#namespace = namespace;
  }

  /** Keys that are not among these any more. */
  vanished(entries: readonly KvEntry[]): readonly string[] {
    const present = new Set(entries.map(({ Key }) => Key));
    return [...this.#keys.keys()].filter((key) => !present.has(key));
  }

  /** @returns whether anything changed */
  update(entries: readonly KvEntry[]): boolean {
    const keys = new Map<string, PolicyKey>();
    let changed = false;
    for (const { Key, Value, CreateIndex } of entries) {
      if (Value === null || Key.endsWith("/")) continue; // a folder, as the UI makes them
      const before = this.#keys.get(Key);
      const same = before !== undefined && before.value === Value && before.created === CreateIndex;
      if (!same) changed = true;
      keys.set(Key, same ? before : this.#read(Key, Value, CreateIndex, before));
    }
    if (!changed && keys.size === this.#keys.size) return false;
    this.#keys = keys;
    const ordered = [...keys.entries()].sort(
      ([a, { created: first }], [b, { created: second }]) => first - second || (a < b ? -1 : 1),
    );
    this.documents = ordered.flatMap(([, { documents }]) => documents);
    this.problems = ordered.flatMap(([, { problems }]) => problems);
    return true;
  }

  #read(file: string, value: string, created: number, before: PolicyKey | undefined): PolicyKey {
    const text = textIn(value);
    const { documents, problems } = this.#parse(text, { file, namespace: this.#namespace });
    const ordered = documents.map((each) => ({ ...each, origin: { ...each.origin, order: created } }));
    const earlier = before && { text: textIn(before.value), documents: before.documents };
    return {
      ...{ value, created, problems },
      documents: earlier === undefined ? ordered : succeedingDocuments(earlier, text, { documents: ordered, problems }),
    };
  }
}

function textIn(value: string): string {
  return Buffer.from(value, "base64").toString("utf8");
}

/** Nothing below a prefix is a 404. @throws {ConsulError} `garbled` */
export function kvEntries(status: number, body: unknown, shown: string): readonly KvEntry[] {
  if (status === 404) return [];
  if (Array.isArray(body) && body.every(isKvEntry)) return body;
  throw new ConsulError("garbled", `${shown} answered a question for keys with something else`);
}

function isKvEntry(value: unknown): value is KvEntry {
  const { Key, Value, CreateIndex } = record(value);
  return typeof Key === "string" && (typeof Value === "string" || Value === null) && typeof CreateIndex === "number";
}
