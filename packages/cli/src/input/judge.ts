/** Texts into documents, and what is wrong with each of them by itself. */

import { type Document, type Problem, parseDocuments, type Resource, validateDocument } from "@inmesh/model";
import type { PolicyText } from "./policy-texts.js";

export interface Judged {
  readonly documents: readonly Document[];
  /** The valid ones among them. */
  readonly resources: readonly Resource[];
  /** Those that break a rule of Istio while their schema holds. */
  readonly refused: readonly Resource[];
  readonly problems: readonly Problem[];
}

export interface JudgedTexts extends Judged {
  /** Of kinds that have no effect here, and that others name. */
  readonly passedOver: readonly Document[];
}

/** @param namespace of documents that name none */
export function judgeTexts(texts: readonly PolicyText[], namespace: string): JudgedTexts {
  const parsed = texts.map(({ file, text }) => parseDocuments(text, { file, namespace }));
  const judged = judgeDocuments(parsed.flatMap(({ documents }) => documents));
  return {
    ...judged,
    passedOver: parsed.flatMap(({ passedOver }) => passedOver),
    problems: [...parsed.flatMap(({ problems }) => problems), ...judged.problems],
  };
}

export function judgeDocuments(documents: readonly Document[]): Judged {
  const verdicts = documents.map(validateDocument);
  return {
    documents,
    resources: verdicts.flatMap(({ resource }) => resource ?? []),
    refused: verdicts.flatMap(({ refused }) => refused ?? []),
    problems: verdicts.flatMap(({ problems }) => problems),
  };
}
