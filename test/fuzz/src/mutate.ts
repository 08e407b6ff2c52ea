/** Documents as a tired author, a broken tool or an attacker would write them. The same seed gives the same ones. */

import { seededRandom } from "@inmesh/core";
import { stringify } from "yaml";
import { HOSTILE_KEYS, HOSTILE_TEXTS, hostileValue } from "./hostile.js";
import type { Seeds } from "./seeds.js";

/** Changes to one document. */
const MAX_CHANGES = 4;

export class Mutator {
  readonly #seeds: Seeds;
  readonly #random: () => number;

  constructor(seeds: Seeds, seed: number) {
    this.#seeds = seeds;
    const random = seededRandom(seed);
    this.#random = () => random.next();
  }

  /** Text of a file: half of them broken as data, half as text. */
  next(): string {
    return this.#random() < 0.5 ? this.#asData() : this.#asText();
  }

  #asData(): string {
    const value = structuredClone(this.#pick(this.#seeds.values));
    for (let left = this.#below(MAX_CHANGES) + 1; left > 0; left--) this.#change(value);
    return this.#random() < 0.5 ? JSON.stringify(value, null, this.#below(3)) : stringify(value);
  }

  /** At a place that every field has the same chance to be. */
  #change(root: unknown): void {
    const all = places(root);
    // The head of a document is a handful of fields; broken, it hides the rest.
    const inSpec = all.filter(([, , path]) => path.startsWith("/spec/"));
    const [holder, key] = this.#pick(inSpec.length > 0 && this.#random() < 0.9 ? inSpec : all);
    const kind = this.#random();
    if (kind < 0.5) return gentle(holder, key, this.#random);
    if (kind < 0.7) return define(holder, key, this.#foreign());
    const dice = this.#below(6);
    if (Array.isArray(holder)) {
      if (dice === 0) holder.splice(Number(key), 1);
      else if (dice === 1) holder.push(...holder.slice(0, 2));
      else holder[Number(key)] = dice === 2 ? [holder[Number(key)]] : hostileValue(this.#random);
      return;
    }
    if (dice === 0) delete holder[key];
    else if (dice === 1) define(holder, this.#pick(HOSTILE_KEYS), holder[key]);
    else if (dice === 2) holder[key] = [holder[key]];
    else if (dice === 3) define(holder, `${key}${this.#pick(["s", "x", " ", ""])}`, hostileValue(this.#random));
    else holder[key] = hostileValue(this.#random);
  }

  /** What stands at some place of some document, and is valid there. */
  #foreign(): unknown {
    const [holder, key] = this.#pick(places(this.#pick(this.#seeds.values)));
    return structuredClone(holder[key]);
  }

  #asText(): string {
    let text = this.#pick(this.#seeds.texts);
    for (let left = this.#below(MAX_CHANGES); left >= 0; left -= 2) text = this.#cut(text);
    return text;
  }

  #cut(text: string): string {
    const from = this.#below(text.length + 1);
    const to = Math.min(text.length, from + this.#below(20));
    const [head, piece, tail] = [text.slice(0, from), text.slice(from, to), text.slice(to)];
    switch (this.#below(6)) {
      case 0:
        return head + tail;
      case 1:
        return head + piece + piece + tail;
      case 2:
        return head + String.fromCharCode(this.#below(256)) + tail;
      case 3:
        return `${head}${this.#pick(["{", "}", "[", "]", ":", "\n", "\t", "- ", "&a ", "*a", "!!", "|", "\n---\n", "#", "<<: "])}${tail}`;
      case 4: {
        const other = this.#pick(this.#seeds.texts);
        return head + other.slice(this.#below(other.length));
      }
      default:
        return head + this.#pick(HOSTILE_TEXTS) + tail;
    }
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #pick<Item>(items: readonly Item[]): Item {
    if (items.length === 0) throw new Error("nothing to pick from");
    return items[this.#below(items.length)] as Item; // in range
  }
}

type Place = readonly [holder: Record<string, unknown>, key: string, path: string];

/** Every field and item below the root; of a root without any, the root. */
function places(root: unknown): readonly Place[] {
  const found: Place[] = [];
  const visit = (value: unknown, path: string): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      const at = `${path}/${key}`;
      found.push([value as Record<string, unknown>, key, at]);
      visit(inner, at);
    }
  };
  visit(root, "");
  return found.length > 0 ? found : [[{ root }, "root", ""]];
}

/** A change that an author makes, and that often stays valid. */
function gentle(holder: Record<string, unknown>, key: string, random: () => number): void {
  const value = holder[key];
  if (typeof value === "string") {
    const at = Math.floor(random() * (value.length + 1));
    const cut = random() < 0.5 ? value.slice(at) : value.slice(at + 1);
    define(holder, key, random() < 0.3 ? value.toUpperCase() : value.slice(0, at) + cut + (random() < 0.5 ? "x" : ""));
  } else if (typeof value === "number")
    define(holder, key, Math.round(value * random() * 3) - (random() < 0.1 ? 1 : 0));
  else if (typeof value === "boolean") define(holder, key, !value);
  else if (Array.isArray(value)) value.splice(Math.floor(random() * (value.length + 1)), random() < 0.5 ? 1 : 0);
  else if (!Array.isArray(holder)) delete holder[key];
}

/** `__proto__` as a key, not as the prototype. */
function define(holder: object, key: string, value: unknown): void {
  Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true });
}
