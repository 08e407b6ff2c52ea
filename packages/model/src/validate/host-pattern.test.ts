import { describe, expect, it } from "vitest";
import { hostsOverlap, isHostSubset } from "./host-pattern.js";

describe("hostsOverlap and isHostSubset", () => {
  it.each([
    ["a.com", "a.com", true, true],
    ["a.com", "b.com", false, false],
    ["a.b.com", "*.com", true, true],
    ["*.com", "a.b.com", true, false],
    ["*.a.com", "*.com", true, true],
    ["*.com", "*.a.com", true, false],
    ["com", "*.com", false, false],
    ["*", "a", true, false],
    ["a", "*", true, true],
    ["*.a.com", "*.b.com", false, false],
  ])("%s and %s", (inner, outer, overlap, subset) => {
    expect([hostsOverlap(inner, outer), isHostSubset(inner, outer)]).toEqual([overlap, subset]);
  });
});
