/** What a change of the history did to its document, field by field. */

import type { Revision } from "@inmesh/core";
import { type Document, parseDocuments } from "@inmesh/model";
import { formatPath } from "@inmesh/model/internal";
import { fieldChanges } from "../diff/field-changes.js";
import type { ChangedField } from "../output/difference.js";

/** The document that a text of the history holds; undefined when it can no longer be read. */
export function documentIn(text: string, key: string): Document | undefined {
  const [kind, namespace = ""] = key.split("/");
  const file = kind === "MeshConfig" ? "mesh.yaml" : key; // it may stand there bare
  return parseDocuments(text, { file, namespace }).documents.find((document) => document.key === key);
}

/** None for a document that came or went, and for texts that are not there. */
export function revisionFields({ key, before, after }: Revision): readonly ChangedField[] {
  const from = before === undefined ? undefined : documentIn(before, key);
  const to = after === undefined ? undefined : documentIn(after, key);
  return from === undefined || to === undefined ? [] : changedFields(from, to);
}

export function changedFields(before: Document, after: Document): readonly ChangedField[] {
  return fieldChanges(before, after).map(({ path, from, to }) => ({
    path: formatPath(path),
    from: from ?? null,
    to: to ?? null,
  }));
}
