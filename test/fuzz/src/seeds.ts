/** Whole documents that mutations start from: every kind, nearly every field, as text and as data. */

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";

const FOLDER = new URL("../seeds/", import.meta.url);

export interface Seeds {
  readonly texts: readonly string[];
  /** Single documents. Not to be changed in place. */
  readonly values: readonly unknown[];
}

export function readSeeds(): Seeds {
  const names = readdirSync(fileURLToPath(FOLDER)).sort();
  const whole = names.map((name) => readFileSync(new URL(name, FOLDER), "utf8"));
  const texts = whole.flatMap((text) => text.split(/^---\n/m));
  const values = whole.flatMap((text) => parseAllDocuments(text, { merge: true }).map((document) => document.toJS()));
  return { texts, values };
}
