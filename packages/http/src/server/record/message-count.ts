/** Counts messages of gRPC in a body as it passes: a byte that says whether it is compressed, four of its length, and the message. */

const PREFIX_BYTES = 5;

export class MessageCount {
  messages = 0;
  /** Bytes of the prefix that were seen, and what they say of the length so far. */
  #prefix = 0;
  #length = 0;
  /** Bytes of the message that are still to come. */
  #left = 0;

  /** A message counts once its prefix is whole. */
  add(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#left > 0) {
        const skipped = Math.min(this.#left, chunk.length - at);
        this.#left -= skipped;
        at += skipped;
        continue;
      }
      // In floating point: a length of 32 bits is none of JavaScript's integers.
      if (this.#prefix > 0) this.#length = this.#length * 256 + chunk[at]!; // in range
      this.#prefix += 1;
      at += 1;
      if (this.#prefix < PREFIX_BYTES) continue;
      this.messages += 1;
      this.#left = this.#length;
      this.#length = 0;
      this.#prefix = 0;
    }
  }
}
