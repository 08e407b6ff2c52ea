/**
 * Changes one document in the text of a policy file and leaves the rest as its author wrote it: other documents to the
 * byte, comments and key order of the changed one wherever its fields stay.
 */

import {
  isAlias,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  parseDocument,
  type YAMLMap,
  type YAMLSeq,
  type Document as YamlDocument,
} from "yaml";
import { documentFromValue, parseDocuments } from "../document/parse-documents.js";
import { stringifyDocument } from "../document/stringify-document.js";
import type { Document, Path } from "../resource.js";

export interface EditOptions {
  /** Name of the file: its ending tells JSON, and `mesh.yaml` holds a bare MeshConfig. */
  readonly file: string;
  /** Of documents that name none. */
  readonly namespace: string;
}

type PlainObject = Readonly<Record<string, unknown>>;

/** A stretch of the text between two document markers. */
interface Chunk {
  /** Where its marker starts; where the text starts for the first. */
  readonly from: number;
  readonly start: number;
  readonly end: number;
}

interface Place {
  readonly chunk: Chunk;
  readonly yaml: YamlDocument;
  /** Of the resource in it: `["items", 2]` in a List. */
  readonly path: Path;
}

/** Text with the document of this key replaced by `value`, or undefined when the text holds no such document. */
export function replaceDocument(
  text: string,
  key: string,
  value: PlainObject,
  options: EditOptions,
): string | undefined {
  const place = findPlace(text, key, options);
  if (place === undefined) return undefined;
  const { yaml, path } = place;
  const whole = path.length === 0 ? value : (setPlain(yaml.toJS(), path, value) as PlainObject);
  if (isJson(text, options.file)) return `${JSON.stringify(whole, null, 2)}\n`;
  const before = text.slice(place.chunk.start, place.chunk.end);
  merge(yaml, path, yaml.getIn(path, true), value);
  const after = print(yaml);
  // Anchors and merge keys can make an edit in place say something else: then the document is written anew.
  return splice(text, place.chunk, says(after, before, key, value, options) ? after : stringifyDocument(whole));
}

/** Text without the document of this key: "" when none is left, undefined when it held no such document. */
export function removeDocument(text: string, key: string, options: EditOptions): string | undefined {
  const place = findPlace(text, key, options);
  if (place === undefined) return undefined;
  const { yaml, path, chunk } = place;
  const left = path.length === 0 ? undefined : yaml;
  left?.deleteIn(path);
  const empty = left === undefined || (isSeq(left.getIn(path.slice(0, -1))) && isEmptyList(left, path));
  const edited = empty ? text.slice(0, chunk.from) + text.slice(chunk.end) : splice(text, chunk, print(yaml));
  if (isJson(text, options.file)) return empty ? "" : `${JSON.stringify(yaml.toJS(), null, 2)}\n`;
  return chunksOf(edited).some(({ start, end }) => hasContent(edited.slice(start, end))) ? edited : "";
}

/** Text with one more document at its end. */
export function appendDocument(text: string, value: PlainObject): string {
  if (!hasContent(text)) return `${text}${stringifyDocument(value)}`;
  return `${text}${text.endsWith("\n") ? "" : "\n"}---\n${stringifyDocument(value)}`;
}

function findPlace(text: string, key: string, options: EditOptions): Place | undefined {
  const chunks = chunksOf(text);
  // Parsing is what costs: documents that show the name come first, those that may spell it otherwise after them.
  const name = key.slice(key.lastIndexOf("/") + 1);
  const shows = ({ start, end }: Chunk): boolean => text.slice(start, end).includes(name);
  for (const chunk of [...chunks.filter(shows), ...chunks.filter((chunk) => !shows(chunk))]) {
    const yaml = parseDocument(text.slice(chunk.start, chunk.end), { logLevel: "silent", prettyErrors: false });
    if (yaml.errors.length > 0 || !isMap(yaml.contents)) continue;
    const path = pathOf(yaml.toJS(), key, options, []);
    if (path !== undefined) return { chunk, yaml, path };
  }
  return undefined;
}

function pathOf(value: unknown, key: string, { file, namespace }: EditOptions, path: Path): Path | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if ("items" in value && Array.isArray(value.items) && "kind" in value && String(value.kind).endsWith("List")) {
    for (const [index, item] of value.items.entries()) {
      const found = pathOf(item, key, { file, namespace }, [...path, "items", index]);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  return identify(value, { file, namespace })?.key === key ? path : undefined;
}

/** A bare MeshConfig is known by the name of its file. */
function identify(value: unknown, { file, namespace }: EditOptions): Document | undefined {
  const origin = { file, line: 0, column: 0, locate: () => ({ line: 0, column: 0 }) };
  return documentFromValue(value, { origin, namespace }).documents[0];
}

/** Markers stand at the start of a line, where no scalar can hold them (YAML 1.2.2, 9.1.2). */
function chunksOf(text: string): Chunk[] {
  const chunks: Chunk[] = [];
  let from = 0;
  let start = 0;
  for (const { index } of text.matchAll(/^(?:---|\.\.\.)(?=\s|$)/gm)) {
    chunks.push({ from, start, end: index });
    from = index;
    start = index + 3;
  }
  chunks.push({ from, start, end: text.length });
  return chunks;
}

function splice(text: string, { start, end }: Chunk, yaml: string): string {
  const lineEnd = text.includes("\r\n") ? "\r\n" : "\n";
  const body = `${start === 0 ? "" : "\n"}${yaml}`;
  return text.slice(0, start) + (lineEnd === "\n" ? body : body.replaceAll("\n", lineEnd)) + text.slice(end);
}

/** Gives a node a new value, keeping every node below it that says the same. */
function merge(yaml: YamlDocument, path: Path, node: unknown, value: unknown): void {
  if (isMap(node) && isPlainObject(value) && !hasMergeKey(node)) mergeMap(yaml, path, node, value);
  else if (isSeq(node) && Array.isArray(value)) mergeList(yaml, path, node, value);
  else if (isScalar(node) && !isPlainObject(value) && !Array.isArray(value)) {
    if (node.value !== value) {
      node.value = value;
      delete node.source; // it would be printed in place of the new value
    }
  } else yaml.setIn(path, yaml.createNode(value, { aliasDuplicateObjects: false }));
}

function mergeMap(yaml: YamlDocument, path: Path, node: YAMLMap, value: PlainObject): void {
  for (const { key } of [...node.items]) {
    const name = isScalar(key) ? String(key.value) : String(key);
    if (!Object.hasOwn(value, name)) node.delete(key);
  }
  for (const [name, field] of Object.entries(value)) mergeField(yaml, [...path, name], node, name, field);
}

function mergeList(yaml: YamlDocument, path: Path, node: YAMLSeq, value: readonly unknown[]): void {
  while (node.items.length > value.length) node.items.pop();
  for (const [index, item] of value.entries()) mergeField(yaml, [...path, index], node, index, item);
}

function mergeField(yaml: YamlDocument, path: Path, parent: YAMLMap | YAMLSeq, part: string | number, value: unknown) {
  const node: unknown = parent.get(part, true);
  if (node === undefined || node === null || isAlias(node) || !(isCollection(node) || isScalar(node)))
    parent.set(part, yaml.createNode(value, { aliasDuplicateObjects: false }));
  else merge(yaml, path, node, value);
}

function hasMergeKey(node: YAMLMap): boolean {
  return node.items.some(({ key }) => isScalar(key) && key.value === "<<");
}

function isEmptyList(yaml: YamlDocument, path: Path): boolean {
  const list = yaml.getIn(path.slice(0, -1));
  return isSeq(list) && list.items.length === 0;
}

/** "" when it cannot be printed: an alias lost its anchor. */
function print(yaml: YamlDocument): string {
  try {
    const text = yaml.toString({ lineWidth: 0 });
    return text.endsWith("\n") ? text : `${text}\n`;
  } catch {
    return "";
  }
}

/** Whether the edited document, or List, holds the value under its key and all else as before. */
function says(edited: string, text: string, key: string, value: PlainObject, options: EditOptions): boolean {
  const wanted = identify(value, options)?.hash;
  const before = parseDocuments(text, options).documents;
  const after = new Map(parseDocuments(edited, options).documents.map((document) => [document.key, document.hash]));
  return before.every((document) => after.get(document.key) === (document.key === key ? wanted : document.hash));
}

function setPlain(root: unknown, path: Path, value: unknown): unknown {
  const [part, ...rest] = path;
  if (part === undefined) return value;
  if (Array.isArray(root)) return root.map((item, index) => (index === part ? setPlain(item, rest, value) : item));
  return isPlainObject(root) ? { ...root, [part]: setPlain(root[part], rest, value) } : root;
}

function isPlainObject(value: unknown): value is PlainObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isJson(text: string, file: string): boolean {
  if (!/\.json$/i.test(file)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false; // several documents, or comments: YAML's reader and printer cope
  }
}

function hasContent(text: string): boolean {
  return text.split("\n").some((line) => line.trim() !== "" && !/^\s*(#|%|---|\.\.\.)/.test(line));
}
