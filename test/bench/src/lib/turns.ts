/** How long a process keeps its event loop to itself at a stretch, by what its main thread computes: others on the CPU do not count. */

import { closeSync, existsSync, openSync, readSync } from "node:fs";

/** The first number is the ns that the main thread has run, on Linux; elsewhere time on the wall stands in. */
const RUN = `/proc/self/task/${process.pid}/schedstat`;

/** What the main thread has computed so far, in ms: what others of the process do beside it (garbage, compilers) is none of the loop's. */
export class MainThread {
  readonly #file = existsSync(RUN) ? openSync(RUN, "r") : undefined;
  readonly #text = Buffer.alloc(64);

  get ranMs(): number {
    if (this.#file === undefined) return performance.now();
    return Number(this.#text.toString("latin1", 0, readSync(this.#file, this.#text, 0, 64, 0)).split(" ")[0]) / 1e6;
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
  }
}

export class Turns {
  readonly #thread = new MainThread();
  #running = true;
  #longestMs = 0;

  constructor() {
    let before = this.#thread.ranMs;
    const turn = (): void => {
      if (!this.#running) return;
      this.#longestMs = Math.max(this.#longestMs, this.#thread.ranMs - before);
      before = this.#thread.ranMs;
      setImmediate(turn);
    };
    setImmediate(turn);
  }

  /** @returns the longest one, in ms */
  stop(): number {
    this.#running = false;
    this.#thread.close();
    return this.#longestMs;
  }
}
