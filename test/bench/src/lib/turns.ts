/** How long a process keeps its event loop to itself at a stretch, by what its main thread computes: others on the CPU do not count. */

import { closeSync, existsSync, openSync, readSync } from "node:fs";

/** The first number is the ns that the main thread has run, on Linux; elsewhere time on the wall stands in. */
const RUN = `/proc/self/task/${process.pid}/schedstat`;

export class Turns {
  readonly #file = existsSync(RUN) ? openSync(RUN, "r") : undefined;
  readonly #text = Buffer.alloc(64);
  #running = true;
  #longestMs = 0;

  constructor() {
    let before = this.#ranMs();
    const turn = (): void => {
      if (!this.#running) return;
      this.#longestMs = Math.max(this.#longestMs, this.#ranMs() - before);
      before = this.#ranMs();
      setImmediate(turn);
    };
    setImmediate(turn);
  }

  /** @returns the longest one, in ms */
  stop(): number {
    this.#running = false;
    if (this.#file !== undefined) closeSync(this.#file);
    return this.#longestMs;
  }

  #ranMs(): number {
    if (this.#file === undefined) return performance.now();
    return Number(this.#text.toString("latin1", 0, readSync(this.#file, this.#text, 0, 64, 0)).split(" ")[0]) / 1e6;
  }
}
