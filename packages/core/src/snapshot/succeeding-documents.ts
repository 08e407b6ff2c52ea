/** What a policy text becomes when it is written again, in a file or in a key. */

import type { Document, Problem } from "@inmesh/model";

/** Text → documents and problems. `@inmesh/model` has the real one. */
export type ParseDocuments = (
  text: string,
  options: { readonly file: string; readonly namespace: string },
) => ParsedText;

export interface ParsedText {
  /** None when the text is no YAML. */
  readonly documents: readonly Document[];
  readonly problems: readonly Problem[];
}

/**
 * Documents of a new text of the same file or key. Those that stand on the same lines with the same text stay the same objects. While
 * one document in it cannot be identified those that vanished stay, since it may be one of them; while the text is no
 * YAML that is all of them.
 */
export function succeedingDocuments(
  before: { readonly text: string; readonly documents: readonly Document[] },
  text: string,
  { documents, problems }: ParsedText,
): readonly Document[] {
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
      same.document.origin.column === document.origin.column &&
      same.document.origin.order === document.origin.order;
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
