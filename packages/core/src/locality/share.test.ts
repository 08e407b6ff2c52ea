import { describe, expect, it } from "vitest";
import { rankShares, weightedShares, zoneShares } from "./share.js";

/** `3/10`: three of ten are usable. */
const size = (text: string) => {
  const [usable = 0, all = 0] = text.split("/").map(Number);
  return { usable, all };
};

describe("rankShares", () => {
  it.each([
    ["everybody is well", ["4/4", "4/4"], [100, 0]],
    ["71 % of the first are left, not quite enough", ["5/7", "2/2"], [100, 0]],
    ["70 % are left", ["7/10", "2/2"], [98, 2]],
    ["half are left", ["5/10", "10/10"], [70, 30]],
    ["a quarter are left in each, taken for the whole", ["1/4", "1/4"], [50, 50]],
    ["the first are all out", ["0/3", "1/2", "5/5"], [0, 70, 30]],
    ["a third each: what rounding leaves goes to the first", ["1/6", "1/6", "1/6"], [34, 33, 33]],
    ["the first usable one takes what rounding leaves", ["0/6", "1/6", "1/6", "1/6"], [0, 34, 33, 33]],
    ["one of so many that it is 0 %", ["1/200", "0/200"], [100, 0]],
    ["nobody is usable", ["0/2", "0/2"], [0, 0]],
    ["there is nobody", [], []],
  ])("when %s", (_, ranks, shares) => {
    expect(rankShares(ranks.map(size))).toEqual(shares);
  });
});

describe("weightedShares", () => {
  it.each([
    ["as written", ["2/2", "9/9"], [0.8, 0.2], [80, 20]],
    ["as written down to 71 % of one", ["5/7", "9/9"], [0.8, 0.2], [80, 20]],
    ["less for one that has half of its endpoints left", ["1/2", "9/9"], [0.8, 0.2], [73.7, 26.3]],
    ["none for one that has none left", ["0/2", "9/9"], [0.8, 0.2], [0, 100]],
    ["none where nobody is", ["0/2", "0/9"], [0.8, 0.2], [0, 0]],
  ])("%s", (_, localities, weights, shares) => {
    expect(weightedShares(localities.map(size), weights).map((share) => Math.round(share * 10) / 10)).toEqual(shares);
  });
});

describe("zoneShares", () => {
  /** `3/3:2`: two clients run in the zone; the first is the client's own. */
  const zones = (...texts: string[]) =>
    texts.map((text, index) => {
      const [endpoints = "", clients = "0"] = text.split(":");
      return { ...size(endpoints), clients: Number(clients), own: index === 0 };
    });

  it.each([
    ["keeps everything at home where both are spread alike", zones("3/3:2", "3/3:2"), [100, 0]],
    ["keeps everything at home where it has more than its part", zones("6/6:1", "2/2:1"), [100, 0]],
    ["sends away what home cannot bear, to where there is room", zones("1/1:1", "2/2:1", "3/3:1"), [50, 0, 50]],
    ["divides what it sends away by room", zones("1/1:2", "2/2:1", "3/3:1"), [33.3, 16.7, 50]],
    ["sends everything away where home has none", zones("0/2:1", "3/3:1", "6/6:1"), [0, 0, 100]],
    ["follows the endpoints where no client is known at home", zones("2/2:0", "2/2:1"), [100, 0]],
  ])("%s", (_, given, shares) => {
    expect(zoneShares(given).map((share) => Math.round(share * 10) / 10)).toEqual(shares);
  });
});
