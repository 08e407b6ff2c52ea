/** Copies parsed YAML or a caller's value into plain data: null-prototype objects, no shared parts, bounded size. */

import { isAlias, isMap, isScalar, isSeq, type Node, type YAMLMap, type Document as YamlDocument } from "yaml";
import { quote } from "../problem-at.js";
import type { Path } from "../resource.js";

/** Nesting past this is no policy; it would only exhaust the stack of those who read it. */
const MAX_DEPTH = 64;

/** Values that aliases may add to one file. A bomb of nine lines would otherwise grow to a billion. */
const MAX_ALIASED_VALUES = 10_000;

/** What makes a value no plain data; `message` says the way out. */
export interface PlainDataFault {
  readonly code: string;
  readonly message: string;
  readonly path: Path;
}

export interface PlainData {
  readonly value: unknown;
  readonly fault?: PlainDataFault;
}

class Refusal extends Error {
  readonly fault: PlainDataFault;
  constructor(code: string, path: Path, message: string) {
    super(message);
    this.fault = { code, message, path: [...path] };
  }
}

/** Contents of a YAML document. Scalar keys become strings (`80:` is "80"), as Kubernetes reads them. */
export function plainYaml(document: YamlDocument.Parsed): PlainData {
  return guarded(() => new YamlReader(document).read(document.contents));
}

/** A copy of a value made by a program. Only JSON's types; undefined fields are left out. */
export function plainValue(value: unknown): PlainData {
  return guarded(() => copyValue(value, []));
}

function guarded(read: () => unknown): PlainData {
  try {
    return { value: read() };
  } catch (error) {
    if (error instanceof Refusal) return { value: undefined, fault: error.fault };
    throw error;
  }
}

class YamlReader {
  readonly #document: YamlDocument.Parsed;
  readonly #path: (string | number)[] = [];
  /** Anchored nodes being read right now: an alias to one of them would never end. */
  readonly #open = new Set<unknown>();
  #aliasDepth = 0;
  #aliased = 0;

  constructor(document: YamlDocument.Parsed) {
    this.#document = document;
  }

  read(node: unknown): unknown {
    if (this.#path.length > MAX_DEPTH)
      this.#refuse("IM0005", `nesting is deeper than ${MAX_DEPTH} levels`, "Flatten it");
    if (this.#aliasDepth > 0 && ++this.#aliased > MAX_ALIASED_VALUES) {
      this.#refuse(
        "IM0005",
        `aliases (*name) expand to more than ${MAX_ALIASED_VALUES} values`,
        "Write the values out",
      );
    }
    if (node === null || node === undefined) return null;
    if (isScalar(node)) return this.#scalar(node.value, node.source);
    if (isAlias(node)) return this.#alias(node.resolve(this.#document), node.source);
    if (this.#open.has(node)) this.#refuse("IM0005", "an alias refers to a value that contains it", "Remove the alias");
    this.#open.add(node);
    const value = isMap(node) ? this.#map(node) : isSeq(node) ? this.#list(node.items) : null;
    this.#open.delete(node);
    return value;
  }

  #scalar(value: unknown, source: string | undefined): unknown {
    if (value === null || typeof value === "string" || typeof value === "boolean" || typeof value === "number")
      return value;
    return source ?? String(value); // bigint, and what %YAML 1.1 makes of dates and binaries
  }

  #alias(target: Node | undefined, name: string): unknown {
    if (target === undefined)
      this.#refuse("IM0001", `alias "*${name}" has no anchor "&${name}" before it`, "Define it first");
    this.#aliasDepth += 1;
    const value = this.read(target);
    this.#aliasDepth -= 1;
    return value;
  }

  #list(items: readonly unknown[]): unknown[] {
    return items.map((item, index) => this.#at(index, () => this.read(item)));
  }

  #map(map: YAMLMap): Record<string, unknown> {
    const object: Record<string, unknown> = Object.create(null);
    const merged: unknown[] = [];
    for (const { key, value } of map.items) {
      const name = this.#key(key);
      if (name === "<<" && isMergeKey(key)) merged.push(value);
      else if (Object.hasOwn(object, name))
        this.#refuse("IM0001", `key ${quote(name)} appears twice`, "Keep one of the two");
      else object[name] = this.#at(name, () => this.read(value));
    }
    for (const source of merged) this.#merge(object, source);
    return object;
  }

  #key(key: unknown): string {
    const node = isAlias(key) ? key.resolve(this.#document) : key;
    if (isScalar(node)) return typeof node.value === "string" ? node.value : (node.source ?? String(node.value));
    return this.#refuse("IM0001", "a key is a list or an object", "Use a word as the key");
  }

  /** YAML 1.1's merge: fields written out win, of several sources the first one does. */
  #merge(object: Record<string, unknown>, source: unknown): void {
    const value = this.#at("<<", () => this.read(source));
    for (const part of Array.isArray(value) ? value : [value]) {
      if (typeof part !== "object" || part === null || Array.isArray(part)) {
        this.#refuse("IM0001", `"<<" needs an object or a list of objects`, "Point it at an anchor of an object");
      }
      for (const [name, field] of Object.entries(part)) if (!Object.hasOwn(object, name)) object[name] = field;
    }
  }

  #at<T>(part: string | number, read: () => T): T {
    this.#path.push(part);
    const value = read();
    this.#path.pop();
    return value;
  }

  #refuse(code: string, fact: string, action: string): never {
    throw new Refusal(code, this.#path, `${fact}. The document is refused. ${action}.`);
  }
}

/** Only a plain `<<` merges; a quoted one is a key like any other. */
function isMergeKey(key: unknown): boolean {
  return isScalar(key) && (key.type === undefined || key.type === "PLAIN");
}

function copyValue(value: unknown, path: Path): unknown {
  if (path.length > MAX_DEPTH) {
    throw new Refusal(
      "IM0005",
      path,
      `nesting is deeper than ${MAX_DEPTH} levels, or an object contains itself. Flatten it.`,
    );
  }
  if (value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean")
    return value;
  if (Array.isArray(value)) return value.map((item, index) => copyValue(item ?? null, [...path, index]));
  if (typeof value !== "object")
    throw new Refusal("IM0001", path, `found a ${typeof value}; a document holds only JSON's types.`);
  const object: Record<string, unknown> = Object.create(null);
  for (const [name, field] of Object.entries(value)) {
    if (field !== undefined) object[name] = copyValue(field, [...path, name]);
  }
  return object;
}
