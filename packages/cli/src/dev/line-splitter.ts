/** Cuts what a child prints into lines, whatever pieces it comes in. */

import { StringDecoder } from "node:string_decoder";
import { stripVTControlCharacters } from "node:util";

/** A line longer than this many characters is cut: a child that never ends its line must not fill our memory. */
const MAX_LINE = 4_096;

export class LineSplitter {
  readonly #onLine: (line: string) => void;
  readonly #decoder = new StringDecoder("utf8");
  #rest = "";

  /** @param onLine gets each line without its end and without colours or cursor movements */
  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(chunk: Buffer): void {
    const lines = (this.#rest + this.#decoder.write(chunk)).split(/\r?\n/);
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#emit(line);
    if (this.#rest.length > MAX_LINE) this.end();
  }

  /** The child is done: what is left is a line too. */
  end(): void {
    const rest = this.#rest;
    this.#rest = "";
    if (rest !== "") this.#emit(rest);
  }

  #emit(line: string): void {
    this.#onLine(stripVTControlCharacters(line).slice(0, MAX_LINE));
  }
}
