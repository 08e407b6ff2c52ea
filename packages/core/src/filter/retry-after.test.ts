import { describe, expect, it } from "vitest";
import { LONGEST_RETRY_AFTER_MS, retryAfterMs } from "./retry-after.js";

const NOW = Date.parse("2026-11-27T12:00:00Z");

describe("retryAfterMs", () => {
  it.each<[string | undefined, number]>([
    [undefined, 0],
    ["0", 0],
    ["1", 1_000],
    [" 7 ", 7_000],
    ["30", 30_000],
    ["31", LONGEST_RETRY_AFTER_MS],
    ["99999999999999999999999999", LONGEST_RETRY_AFTER_MS],
    ["-1", 0],
    ["1.5", 0],
    ["1e3", 0],
    ["0x10", 0],
    ["NaN", 0],
    ["", 0],
    ["soon", 0],
    ["Fri, 27 Nov 2026 12:00:05 GMT", 5_000],
    ["Friday, 27-Nov-26 12:00:05 GMT", 5_000],
    ["Fri Nov 27 12:00:05 2026 GMT", 5_000],
    ["Fri, 27 Nov 2026 11:59:59 GMT", 0],
    ["Fri, 27 Nov 2099 12:00:00 GMT", LONGEST_RETRY_AFTER_MS],
    ["Fri, 99 Nov 2026 12:00:05 GMT", 0],
    ["2026-11-27T12:00:05Z", 0], // no HTTP date
  ])("reads %j as %s ms", (value, ms) => {
    expect(retryAfterMs(value, NOW)).toBe(ms);
  });
});
