/**
 * xxHash64, the hash that Envoy builds its rings and tables with: the same key leads to the same endpoint from either.
 * WebAssembly that is loaded when the first rule hashes something; calls of that rule wait for it (about a millisecond).
 */

import type { XXHashAPI } from "xxhash-wasm";
import { messageOf } from "../errors.js";

/** @param seed 64 bits. @default 0 */
export type XxHash = (text: string, seed?: bigint) => bigint;

export class XxHashLoader {
  #hash: XxHash | undefined;
  #loading: Promise<void> | undefined;
  #failure: string | undefined;

  /** Undefined before `load` has settled, and where WebAssembly is switched off. */
  get hash(): XxHash | undefined {
    return this.#hash;
  }

  /** Why there is none. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Never rejects: see `failure`. */
  load(): Promise<void> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  async #load(): Promise<void> {
    try {
      const { default: create } = await import("xxhash-wasm");
      const { h64 }: XXHashAPI = await create();
      this.#hash = h64;
    } catch (error) {
      this.#failure = messageOf(error); // node --jitless has no WebAssembly
    }
  }
}
