/** Texts into documents, and what is wrong with each of them by itself. */

import { type Document, type Problem, parseDocuments, type Resource, validateDocument } from "@inmesh/model";
import type { PolicyText } from "./policy-texts.js";

export interface Judged {
  readonly documents: readonly Document[];
  /** The valid ones among them. */
  readonly resources: readonly Resource[];
  readonly problems: readonly Problem[];
}

/** @param namespace of documents that name none */
export function judgeTexts(texts: readonly PolicyText[], namespace: string): Judged {
  const documents: Document[] = [];
  const resources: Resource[] = [];
  const problems: Problem[] = [];
  for (const { file, text } of texts) {
    const parsed = parseDocuments(text, { file, namespace });
    documents.push(...parsed.documents);
    problems.push(...parsed.problems);
  }
  for (const document of documents) {
    const verdict = validateDocument(document);
    if (verdict.resource !== undefined) resources.push(verdict.resource);
    problems.push(...verdict.problems);
  }
  return { documents, resources, problems };
}
