/** What each group gets of all calls: its rank's part by health, and its own of that. */

import { type EndpointGroup, type GroupedEndpoints, sizes, weightOf } from "./group-endpoints.js";
import { rankPanic } from "./panic.js";
import { type GroupSize, rankShares } from "./share.js";

export interface GroupShares {
  /** Percent, one for each group; all 0 where nobody can be called. */
  readonly shares: readonly number[];
  /** One for each group: all of it is used, well or not. */
  readonly panics: readonly boolean[];
}

/** @param minHealthRatio below which a rank is in a panic; 0 for never */
export function groupShares(grouped: GroupedEndpoints, minHealthRatio: number): GroupShares {
  const { groups, ranks } = grouped;
  const panic = rankPanic(rankSizes(grouped), minHealthRatio);
  if (panic === undefined) return { shares: sharesWithout(grouped), panics: groups.map(() => false) };
  const ofRanks = panic.shares ?? rankShares(rankSizes(grouped));
  const within = [...grouped.within()];
  const panics = groups.map(() => false);
  for (const [rank, members] of ranks.entries()) {
    if (panic.panics[rank] !== true) continue;
    // In a panic localities and zones do not count: every endpoint is like every other.
    const total = members.reduce((sum, index) => sum + weightOf(groups[index]!.all), 0);
    for (const index of members) {
      panics[index] = true;
      within[index] = (weightOf(groups[index]!.all) * 100) / total; // of endpoints there are some
    }
  }
  return { shares: together(grouped, ofRanks, within), panics };
}

/** @param without groups that a call is to keep away from; never all that could be called */
export function sharesWithout(grouped: GroupedEndpoints, without?: ReadonlySet<EndpointGroup>): readonly number[] {
  return together(grouped, rankShares(rankSizes(grouped, without)), grouped.within(without));
}

function together({ groups, ranks }: GroupedEndpoints, ofRanks: readonly number[], within: readonly number[]) {
  const shares = groups.map(() => 0);
  for (const [rank, members] of ranks.entries()) {
    for (const index of members) shares[index] = (ofRanks[rank]! * within[index]!) / 100; // one each
  }
  return shares;
}

function rankSizes({ groups, ranks }: GroupedEndpoints, without?: ReadonlySet<EndpointGroup>): GroupSize[] {
  const each = sizes(groups, without);
  return ranks.map((members) => ({
    all: members.reduce((sum, index) => sum + each[index]!.all, 0),
    usable: members.reduce((sum, index) => sum + each[index]!.usable, 0),
  }));
}
