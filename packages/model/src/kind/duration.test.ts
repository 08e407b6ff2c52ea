import { describe, expect, it } from "vitest";
import { durationFault, parseDurationMs } from "./duration.js";

describe("parseDurationMs", () => {
  it.each([
    ["5s", 5_000],
    ["1.5s", 1_500],
    ["100ms", 100],
    ["1h30m", 5_400_000],
    [".5s", 500],
    ["5.s", 5_000],
    ["1m0.5s", 60_500],
    ["+2s", 2_000],
    ["-2s", -2_000],
    ["0", 0],
    ["0s", 0],
    ["250us", 0.25],
    ["1µs", 0.001],
    ["2540400h", 9_145_440_000_000],
  ])("reads %s as %d ms", (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
  });

  it.each(["", "5", "s", ".s", "5 s", "5S", "1d", "five", "5s ", "1e3s", "--1s", "9999999999h", `${"1".repeat(1e6)}s`])(
    "refuses %.20j",
    (text) => {
      expect(parseDurationMs(text)).toBeUndefined();
    },
  );
});

describe("durationFault", () => {
  it.each([
    ["1ms", 1, undefined],
    ["0s", 1, "at least 1ms"],
    ["0s", 0, undefined],
    ["-1s", 0, "not negative"],
    ["1.0005s", 1, "whole milliseconds"],
    ["2.000000042s", 1, "whole milliseconds"],
    ["10", 1, "a duration such as"],
  ])("judges %s with at least %d ms: %s", (text, atLeastMs, fault) => {
    if (fault === undefined) expect(durationFault(text, atLeastMs)).toBeUndefined();
    else expect(durationFault(text, atLeastMs)).toContain(fault);
  });
});
