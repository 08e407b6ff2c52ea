/** What users of a mesh's clients should know, said once per mesh and not once per request. */

export class Notices {
  readonly #write: (message: string) => void;
  readonly #said = new Set<string>();

  /** @param write @default nobody hears it */
  constructor(write: (message: string) => void = () => {}) {
    this.#write = write;
  }

  once(message: string): void {
    if (this.#said.has(message)) return;
    this.#said.add(message);
    this.#write(message);
  }
}
