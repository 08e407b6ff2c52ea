/** Ranks in a panic, as Envoy judges it: each by itself, and none while all together can bear the calls. */

import { type GroupSize, rankAbilities } from "./share.js";

export interface RankPanic {
  /** One for each rank: all of its endpoints are used, well or not. */
  readonly panics: readonly boolean[];
  /** Percent, in place of those by health; undefined where those hold. */
  readonly shares: readonly number[] | undefined;
}

/** @returns undefined while nobody is in a panic */
export function rankPanic(ranks: readonly GroupSize[], minHealthRatio: number): RankPanic | undefined {
  if (minHealthRatio === 0) return undefined;
  const together = rankAbilities(ranks).reduce((sum, each) => sum + each, 0);
  if (together >= 100) return undefined;
  const panics = ranks.map(({ all, usable }) => usable / all < minHealthRatio);
  if (!panics.includes(true)) return undefined;
  const count = ranks.reduce((sum, { all }) => sum + all, 0);
  return { panics, shares: panics.includes(false) ? undefined : ranks.map(({ all }) => (all * 100) / count) };
}
