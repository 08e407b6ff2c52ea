/** Where the changes of a document are kept: a number each, so that the order of keys is that of changes. */

import type { ConsulClient } from "../client/consul-client.js";
import { historyPrefix } from "../keys.js";
import { readKeys } from "./kv-pair.js";

/** Changes kept of one document. */
export const KEPT = 50;

const DIGITS = 8;
/** Questions to the server. */
const AT_ONCE = 8;

export interface HistoryPlace {
  readonly id: string;
  readonly key: string;
  /** Keys of changes that are too many with this one. */
  readonly spare: readonly string[];
}

/** Gives out the places of the changes that one writer is about to make. */
export class HistoryKeys {
  readonly #client: ConsulClient;
  readonly #known = new Map<string, string[]>();

  constructor(client: ConsulClient) {
    this.#client = client;
  }

  /** Reads what is there of these documents. @throws {ConsulError} */
  async load(keys: Iterable<string>): Promise<void> {
    const left = [...new Set(keys)];
    const worker = async (): Promise<void> => {
      for (let key = left.pop(); key !== undefined; key = left.pop()) {
        const found = await readKeys(this.#client, historyPrefix(this.#client.target, key));
        this.#known.set(
          key,
          found.filter((each) => numberOf(each) > 0),
        );
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
  }

  /** The place after the last one. Another writer may take it first: it has to be made anew. */
  next(key: string): HistoryPlace {
    const prefix = historyPrefix(this.#client.target, key);
    const known = this.#known.get(key) ?? [];
    const number = numberOf(known.at(-1) ?? "") + 1;
    const made = `${prefix}${String(number).padStart(DIGITS, "0")}`;
    const all = [...known, made];
    this.#known.set(key, all.slice(-KEPT));
    return { id: `${number}`, key: made, spare: all.slice(0, -KEPT) };
  }
}

/** 0 for a key that holds no change. */
function numberOf(key: string): number {
  const [, digits] = /\/(\d{1,15})$/.exec(key) ?? [];
  return Number(digits ?? 0);
}
