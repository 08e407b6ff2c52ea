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
  const parsed = texts.map(({ file, text }) => parseDocuments(text, { file, namespace }));
  const judged = judgeDocuments(parsed.flatMap(({ documents }) => documents));
  return { ...judged, problems: [...parsed.flatMap(({ problems }) => problems), ...judged.problems] };
}

export function judgeDocuments(documents: readonly Document[]): Judged {
  const verdicts = documents.map(validateDocument);
  return {
    documents,
    resources: verdicts.flatMap(({ resource }) => resource ?? []),
    problems: verdicts.flatMap(({ problems }) => problems),
  };
}
