/**
 * Paired comparison over time slices (performance.md §10): in every round each variant runs one slice, in random order;
 * the ratio is taken inside the round, so that drift of the machine cancels; the median of the ratios is the result.
 * The baseline runs twice per round: its ratio to itself (A/A) is the noise below which nothing may be claimed.
 */

import { type Spread, spread } from "./stats.js";

export interface Variant {
  readonly name: string;
  /** Runs `count` requests at the agreed concurrency and resolves when all have ended. */
  run(count: number): Promise<void>;
}

export interface PairedRow {
  readonly name: string;
  /** CPU of this process per request, in us. */
  readonly cpuUs: Spread;
  /** CPU relative to the baseline's slice of the same round. */
  readonly ratio: Spread;
  /** CPU minus the baseline's, in us per request. */
  readonly addedUs: Spread;
}

export interface PairedOptions {
  readonly rounds: number;
  /** Requests per slice. */
  readonly slice: number;
  /** Requests per variant before anything counts. */
  readonly warmUp: number;
}

/** @param baseline is also run as "A/A" @returns the baseline's row first, then A/A, then the variants in their order */
export async function paired(
  baseline: Variant,
  variants: readonly Variant[],
  options: PairedOptions,
): Promise<readonly PairedRow[]> {
  const all = [baseline, { name: "A/A (baseline again)", run: (count: number) => baseline.run(count) }, ...variants];
  const collect = (globalThis as { gc?: (options: { type: "minor" }) => void }).gc;
  for (const { run } of all) await run(options.warmUp);
  const cpu = all.map((): number[] => []);
  for (let round = 0; round < options.rounds; round++) {
    for (const index of shuffled(all.length)) {
      collect?.({ type: "minor" }); // what others left behind is not this one's to clear away
      const before = process.cpuUsage();
      await all[index]!.run(options.slice); // a permutation of the indices
      const { user, system } = process.cpuUsage(before);
      cpu[index]!.push((user + system) / options.slice);
    }
  }
  const base = cpu[0]!; // the baseline is always there
  return all.map(({ name }, index) => ({
    name,
    cpuUs: spread(cpu[index]!),
    ratio: spread(cpu[index]!.map((value, round) => value / base[round]!)),
    addedUs: spread(cpu[index]!.map((value, round) => value - base[round]!)),
  }));
}

/** Runs `count` operations, `width` at a time. */
export async function concurrently(count: number, width: number, operation: () => Promise<unknown>): Promise<void> {
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) await operation();
  };
  await Promise.all(Array.from({ length: width }, worker));
}

/** Indices below `size` in random order. */
export function shuffled(size: number): readonly number[] {
  const order = Array.from({ length: size }, (_, index) => index);
  for (let last = size - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    [order[last], order[other]] = [order[other]!, order[last]!]; // both in range
  }
  return order;
}
