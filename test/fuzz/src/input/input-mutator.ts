/** Bytes as a broken sender or an attacker would send them. The same seed gives the same ones. */

import { type Random, seededRandom } from "@inmesh/core";
import type { InputTarget } from "./target.js";

/** Changes to one input. */
const MAX_CHANGES = 4;
const MAX_KEPT = 2_000;
const MAX_BYTES = 16_384;
/** Bytes at which lengths, signs and encodings turn. */
const EDGES = [0x00, 0x01, 0x09, 0x0a, 0x0d, 0x20, 0x25, 0x2e, 0x2f, 0x5c, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xc0, 0xff];
const MOST_KNOWN = 100_000;

export class InputMutator {
  readonly #random: Random;
  readonly #kept: Uint8Array[];
  readonly #words: readonly Uint8Array[];
  readonly #mutate: InputTarget["mutate"];
  readonly #known = new Set<string>();

  constructor({ seeds, words, mutate }: InputTarget, seed: number) {
    this.#random = seededRandom(seed);
    this.#kept = [...seeds];
    this.#mutate = mutate;
    this.#words = words.map((word) => (typeof word === "string" ? Buffer.from(word, "latin1") : word));
  }

  next(): Uint8Array {
    let input = this.#pick(this.#kept);
    if (this.#mutate !== undefined && this.#random.int(4) > 0) return this.#mutate(input, this.#random);
    for (let left = this.#random.int(MAX_CHANGES) + 1; left > 0; left--) input = this.#change(input);
    return input.length > MAX_BYTES ? input.subarray(0, MAX_BYTES) : input;
  }

  /** Keeps what brought something new. */
  learn(input: Uint8Array, said: string): void {
    if (this.#known.has(said) || this.#known.size >= MOST_KNOWN) return;
    this.#known.add(said);
    if (this.#kept.length < MAX_KEPT) this.#kept.push(input);
    else this.#kept[this.#random.int(MAX_KEPT)] = input;
  }

  #change(input: Uint8Array): Uint8Array {
    const from = this.#random.int(input.length + 1);
    const to = Math.min(input.length, from + 1 + this.#random.int(this.#random.int(4) === 0 ? 64 : 4));
    const [head, piece, tail] = [input.subarray(0, from), input.subarray(from, to), input.subarray(to)];
    switch (this.#random.int(9)) {
      case 0:
        return Buffer.concat([head, tail]);
      case 1:
        return Buffer.concat([head, piece, piece, tail]);
      case 2: {
        const changed = Buffer.from(input);
        if (from < changed.length) changed[from]! ^= 1 << this.#random.int(8); // in range
        return changed;
      }
      case 3: {
        const changed = Buffer.from(input);
        if (from < changed.length) changed[from] = this.#pick(EDGES);
        return changed;
      }
      case 4:
        return Buffer.concat([head, Buffer.from([this.#random.int(256)]), input.subarray(from)]);
      case 5: {
        const other = this.#pick(this.#kept);
        return Buffer.concat([head, other.subarray(this.#random.int(other.length + 1))]);
      }
      case 6:
        return Buffer.concat([head, ...this.#aWord(), tail]);
      case 7:
        return head.length === 0 ? input : head;
      default:
        return Buffer.concat([head, ...this.#aWord(), input.subarray(from)]);
    }
  }

  #aWord(): readonly Uint8Array[] {
    return this.#words.length === 0 ? [] : [this.#pick(this.#words)];
  }

  #pick<Item>(items: readonly Item[]): Item {
    return items[this.#random.int(items.length)] as Item; // in range: targets have seeds
  }
}
