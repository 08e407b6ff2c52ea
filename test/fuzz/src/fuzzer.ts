/** Runs cases in a thread of its own, so that one which never ends can be told from one that is slow. */

import { Worker } from "node:worker_threads";

export interface FuzzOptions {
  /** A parser of input/targets.ts. @default none: whole documents */
  readonly target?: string | undefined;
  readonly cases: number;
  readonly seed: number;
  /** A case that takes longer hangs. In ms. @default 10000 */
  readonly hangMs?: number;
  readonly onProgress?: (done: number) => void;
}

export interface FuzzReport {
  /** With the case's number and its text. At most ten. */
  readonly failures: readonly string[];
  readonly done: number;
  /** Documents that passed as valid, and problems that were told; inputs accepted, and refused. Both must be many, or nothing was tried. */
  readonly valid: number;
  readonly problems: number;
}

/** Where the thread writes the number of the case it is at. */
export interface FuzzThreadData {
  readonly target: string | undefined;
  readonly cases: number;
  readonly seed: number;
  readonly progress: Int32Array;
}

export async function fuzz({ target, cases, seed, hangMs = 10_000, onProgress }: FuzzOptions): Promise<FuzzReport> {
  const progress = new Int32Array(new SharedArrayBuffer(4));
  const workerData: FuzzThreadData = { target, cases, seed, progress };
  // What is built, without the test runner's way to the sources.
  const worker = new Worker(new URL("../dist/fuzz-thread.js", import.meta.url), { workerData, execArgv: [] });
  return await new Promise<FuzzReport>((resolve, reject) => {
    let last = -1;
    const watch = setInterval(() => {
      const now = Atomics.load(progress, 0);
      onProgress?.(now);
      if (now === last) {
        reject(new Error(`${target ?? "documents"}: case ${now} of seed ${seed} has taken ${hangMs} ms`));
        void worker.terminate();
      }
      last = now;
    }, hangMs);
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", () => clearInterval(watch));
  });
}
