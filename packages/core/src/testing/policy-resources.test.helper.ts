/** Policy of a test as the resources that a compiler takes; a document that is refused is a mistake of the test. */

import { type Document, parseDocuments, type Resource, validateDocument } from "@inmesh/model";

/** @throws when one is refused */
export function resourcesIn(text: string, file: string): readonly Resource[] {
  return parseDocuments(text, { file }).documents.map(validResource);
}

/** @throws when it is refused */
export function validResource(document: Document): Resource {
  const { resource, problems } = validateDocument(document);
  const errors = problems.filter(({ severity }) => severity === "error");
  if (resource === undefined) throw new Error(`${document.key} is refused: ${JSON.stringify(errors)}`);
  return resource;
}
