/** Cost of one synchronous operation in a hot loop: best and median of many batches, and bytes of garbage per run. */

import { spread } from "./stats.js";

export interface LoopResult {
  /** ns per operation: the best batch, and the median one. */
  readonly bestNs: number;
  readonly medianNs: number;
  /** Bytes allocated per operation; undefined without --expose-gc. */
  readonly bytes: number | undefined;
}

/** @param operation runs once per call; its result is kept alive so that nothing is optimised away */
export function loop(operation: () => unknown, { batch = 2_000, batches = 60, warmUp = 20_000 } = {}): LoopResult {
  let sink: unknown;
  for (let turn = 0; turn < warmUp; turn++) sink = operation();
  const samples: number[] = [];
  for (let index = 0; index < batches; index++) {
    const start = process.hrtime.bigint();
    for (let turn = 0; turn < batch; turn++) sink = operation();
    samples.push(Number(process.hrtime.bigint() - start) / batch);
  }
  const bytes = garbage(operation, batch);
  if (sink === Symbol.for("never")) throw new Error("unreachable");
  return { bestNs: Math.min(...samples), medianNs: spread(samples).median, bytes };
}

function garbage(operation: () => unknown, turns: number): number | undefined {
  const collect = (globalThis as { gc?: () => void }).gc;
  if (collect === undefined) return undefined;
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round++) {
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let turn = 0; turn < turns; turn++) operation();
    const used = process.memoryUsage().heapUsed - before;
    // A scavenge in between makes the difference small or negative; such a round says nothing.
    if (used > 0) least = Math.min(least, used / turns);
  }
  return Number.isFinite(least) ? least : undefined;
}
