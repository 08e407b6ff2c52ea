/** Which share of the calls each group of endpoints gets: Envoy's arithmetic, with its rounding where it is visible. */

/** As much of a group as counts for its share. */
export interface GroupSize {
  readonly all: number;
  /** Not left alone at the moment. */
  readonly usable: number;
}

/** A group can take 1.4 times its part: it gives calls away only when fewer than 1 / 1.4 (71 %) of it are usable. */
const OVERPROVISIONING_PERCENT = 140;

/**
 * Ranks: each takes what it can bear, the next one the rest.
 * @param ranks nearest first
 * @returns percent, whole, 100 together; all 0 where nobody is usable
 */
export function rankShares(ranks: readonly GroupSize[]): number[] {
  const able = rankAbilities(ranks);
  const together = Math.min(100, sum(able));
  if (together === 0) return inProportion(ranks.map(({ usable }) => usable)); // nearly all is lost: less than 1 % of each
  let left = 100;
  const shares = able.map((each) => {
    const share = Math.min(left, Math.floor((each * 100) / together));
    left -= share;
    return share;
  });
  const first = able.findIndex((each) => each > 0); // rounding's
  shares[first]! += left;
  return shares;
}

/** How much of all calls each rank could bear, in percent, whole. */
export function rankAbilities(ranks: readonly GroupSize[]): number[] {
  return ranks.map(({ all, usable }) =>
    all === 0 ? 0 : Math.min(100, Math.floor((OVERPROVISIONING_PERCENT * usable) / all)),
  );
}

/**
 * Localities by what policy gives them, less where too few of one are usable.
 * @param weights one for each
 * @returns percent; all 0 where nobody is usable
 */
export function weightedShares(localities: readonly GroupSize[], weights: readonly number[]): number[] {
  const effective = localities.map(({ all, usable }, index) => {
    const able = all === 0 ? 0 : Math.min(1, (OVERPROVISIONING_PERCENT * usable) / all / 100);
    return weights[index]! * able; // one each
  });
  return inProportion(effective);
}

export interface ZoneSize extends GroupSize {
  /** The client's own zone. */
  readonly own: boolean;
  /** Clients like this one that run in the zone, itself included. */
  readonly clients: number;
}

/**
 * Zones: as much stays in the client's own as it can bear, given that the other clients of the zone keep theirs there, too;
 * the rest goes where there is more capacity than clients.
 * @returns percent
 */
export function zoneShares(zones: readonly ZoneSize[]): number[] {
  const usable = sum(zones.map((zone) => zone.usable)) || 1;
  const clients = sum(zones.map((zone) => zone.clients)) || 1;
  const spare = zones.map((zone) => zone.usable / usable - zone.clients / clients);
  const own = zones.findIndex((zone) => zone.own);
  const here = zones[own];
  if (here !== undefined && here.usable > 0 && spare[own]! >= 0)
    return zones.map((_, index) => (index === own ? 100 : 0));
  const stays = here === undefined || here.clients === 0 ? 0 : (here.usable / usable / (here.clients / clients)) * 100;
  const room = spare.map((each, index) => (index === own ? 0 : Math.max(0, each)));
  // Rounding may leave no room anywhere.
  const rest = inProportion(sum(room) > 0 ? room : zones.map((zone, index) => (index === own ? 0 : zone.usable)));
  return rest.map((share, index) => (index === own ? stays : (share * (100 - stays)) / 100));
}

function inProportion(parts: readonly number[]): number[] {
  const whole = sum(parts);
  return parts.map((part) => (whole === 0 ? 0 : (part * 100) / whole));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
