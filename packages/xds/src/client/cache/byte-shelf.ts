/**
 * Copies of small pieces of answers, side by side in one buffer: with a buffer of its own a resource of a hundred bytes takes
 * three times as much. A buffer stays until the last piece in it is replaced, so it is small and takes small pieces only.
 */

const SHELF_BYTES = 2_048;
/** Bigger ones have a buffer of their own. */
const LARGEST = 512;

export class ByteShelf {
  #shelf = new Uint8Array(0);
  #used = 0;

  /** Never changed afterwards, by anybody. */
  copy(bytes: Uint8Array): Uint8Array {
    const { length } = bytes;
    if (length > LARGEST) return new Uint8Array(bytes);
    if (this.#used + length > this.#shelf.length) {
      this.#shelf = new Uint8Array(SHELF_BYTES);
      this.#used = 0;
    }
    const copy = this.#shelf.subarray(this.#used, this.#used + length);
    copy.set(bytes);
    this.#used += length;
    return copy;
  }
}
