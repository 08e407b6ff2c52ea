/** Documents of a folder that the registry has no use for, since their kinds have no effect here: noted while it is read. */

import { type Document, type ParsedDocuments, type ParseOptions, parseDocuments } from "@inmesh/model";

export class PassedOver {
  readonly #byFile = new Map<string, readonly Document[]>();

  /** For the registry, in the place of `parseDocuments`. */
  readonly parse = (text: string, options: ParseOptions): ParsedDocuments => {
    const parsed = parseDocuments(text, options);
    this.#byFile.set(options.file, parsed.passedOver);
    return parsed;
  };

  /** In order of file, then of position. */
  get documents(): readonly Document[] {
    const files = [...this.#byFile].sort(([a], [b]) => (a < b ? -1 : 1));
    return files.flatMap(([, documents]) => documents);
  }
}
