/** One document per key: a registry may hold two, the mesh follows one and says so. */

import type { Document, Problem } from "@inmesh/model";
import { registryProblem } from "./registry-problem.js";

/**
 * Of documents with the same key the oldest stands, by `metadata.creationTimestamp`; those without one come after those
 * with one, and equals in the order given.
 */
export function uniqueDocuments(documents: readonly Document[]): { documents: Document[]; problems: Problem[] } {
  const byKey = new Map<string, Document>();
  const others: Document[] = [];
  for (const document of documents) {
    const first = byKey.get(document.key);
    if (first === undefined) byKey.set(document.key, document);
    else if (age(document) < age(first)) {
      byKey.set(document.key, document);
      others.push(first);
    } else others.push(document);
  }
  return { documents: [...byKey.values()], problems: others.map((other) => duplicate(other, byKey.get(other.key))) };
}

function duplicate(other: Document, standing: Document | undefined): Problem {
  return registryProblem(
    "IM0701",
    "error",
    `${other.key} is defined in ${place(other)} and in ${place(standing ?? other)}; the latter is in force. Remove one of them.`,
    { resource: other.key, file: other.origin.file, line: other.origin.line, column: other.origin.column },
  );
}

function place({ origin }: Document): string {
  return origin.file === "" ? "memory" : `${origin.file}:${origin.line}`;
}

/** Ms since 1970; later than any date for a document without one. */
function age({ value }: Document): number {
  const metadata = value["metadata"];
  if (typeof metadata !== "object" || metadata === null || !("creationTimestamp" in metadata)) return Infinity;
  const stamp = metadata.creationTimestamp;
  const time = typeof stamp === "string" ? Date.parse(stamp) : stamp instanceof Date ? stamp.getTime() : Number.NaN;
  return Number.isNaN(time) ? Infinity : time;
}
