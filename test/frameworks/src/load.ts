/** A caller in a process of its own: even load on some URLs, and what became of every request of it. */

import type { AppProcess } from "./app-process.js";

export interface LoadResult {
  readonly url: string;
  readonly sent: { readonly GET: number; readonly POST: number };
  readonly failed: number;
  /** What went wrong, and how often. */
  readonly failures: readonly (readonly [why: string, count: number])[];
  /** Process id → requests answered by it. */
  readonly served: readonly (readonly [pid: number, count: number])[];
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Ends the load, waits for what is on its way. @returns one for each URL, in order */
export async function finishLoad(load: AppProcess): Promise<readonly LoadResult[]> {
  load.child.stdin?.end();
  const { code } = await load.exited;
  if (code !== 0) throw new Error(`the caller ended with ${code}: ${load.out}${load.errors}`);
  return JSON.parse(load.out.trim().split("\n").at(-1) ?? "");
}
