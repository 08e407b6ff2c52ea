/** The text of one file as YAML documents, with positions that are computed only when somebody asks. */

import { isMap, isNode, isScalar, isSeq, LineCounter, parseAllDocuments, type Document as YamlDocument } from "yaml";
import type { Origin, Path, Position } from "../resource.js";

export interface YamlError {
  readonly code: string;
  /** Offset into the text. */
  readonly offset: number;
  readonly message: string;
}

export interface YamlFile {
  /** Empty when there are errors. */
  readonly documents: readonly YamlDocument.Parsed[];
  readonly errors: readonly YamlError[];
  position(offset: number): Position;
  /** @param prefix path of the resource inside the document: `["items", 2]` in a List */
  origin(index: number, prefix: Path): Origin;
}

/** One slip makes the parser stumble on: the first few errors are the ones to correct. */
const MAX_ERRORS = 5;

/** The parser recurses: brackets nested some thousand deep exhaust its stack. */
const TOO_DEEP = "Nesting is too deep";

interface Parsed {
  readonly documents: readonly YamlDocument.Parsed[];
  readonly lines: LineCounter;
}

/** Never throws. YAML 1.2 (`yes` and `off` are words), so every JSON file is read by the same parser. */
export function readYamlFile(text: string, file: string): YamlFile {
  let first: Parsed;
  try {
    first = parse(text);
  } catch (error) {
    const message = error instanceof RangeError ? TOO_DEEP : String((error as Error).message);
    return unreadable(file, { code: "THROWN", offset: 0, message });
  }
  const { documents, lines } = first;
  const found = documents
    .flatMap(({ errors, warnings }) => [...errors, ...warnings])
    .sort((a, b) => a.pos[0] - b.pos[0]);
  const errors = found.slice(0, MAX_ERRORS).map(({ code, pos, message }) => ({
    code,
    offset: pos[0],
    message: /stack/i.test(message) ? TOO_DEEP : message,
  }));
  // Trees are ten times the size of their text: they live on only until memory is wanted, then are made again.
  let kept = new WeakRef(first);
  const again = (): Parsed => {
    const parsed = kept.deref() ?? parse(text);
    kept = new WeakRef(parsed);
    return parsed;
  };
  const starts = documents.map((document) => positionIn(lines, document.contents?.range?.[0] ?? document.range[0]));
  return {
    documents: errors.length > 0 ? [] : documents,
    errors,
    position: (offset) => positionIn(lines, offset),
    origin: (index, prefix) => {
      const locate = (path: Path) => {
        const { documents, lines } = again();
        return positionIn(lines, offsetOf(documents[index], [...prefix, ...path]));
      };
      const { line, column } = prefix.length === 0 ? (starts[index] ?? UNKNOWN) : locate([]);
      return { file, line, column, locate };
    },
  };
}

const UNKNOWN: Position = { line: 0, column: 0 };

function unreadable(file: string, error: YamlError): YamlFile {
  const start = { line: 1, column: 1 };
  const origin = () => ({ file, ...start, locate: () => start });
  return { documents: [], errors: [error], position: () => start, origin };
}

function parse(text: string): Parsed {
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, {
    lineCounter: lines,
    prettyErrors: false, // they quote the line, which may be a million characters long
    logLevel: "silent",
    version: "1.2",
    merge: false, // resolved in plain-data.ts, within its bounds
  });
  return { documents: parsed as YamlDocument.Parsed[], lines };
}

function positionIn(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

/** Start of the field's key (of the item, in a list), or of the nearest ancestor that exists. */
function offsetOf(document: YamlDocument.Parsed | undefined, path: Path): number {
  let node: unknown = document?.contents;
  let offset = startOf(node) ?? 0;
  for (const part of path) {
    const source = isNode(node) && document !== undefined && "resolve" in node ? node.resolve(document) : node;
    if (isSeq(source) && typeof part === "number") node = source.items[part];
    else if (isMap(source)) {
      const pair = source.items.find(({ key }) => isScalar(key) && String(key.source ?? key.value) === String(part));
      if (pair === undefined) return offset;
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
      continue;
    } else return offset;
    offset = startOf(node) ?? offset;
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? (node.range?.[0] ?? undefined) : undefined;
}
