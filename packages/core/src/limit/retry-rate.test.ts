import { describe, expect, it } from "vitest";
import { seededRandom } from "../runtime/random.js";
import { RetryRate } from "./retry-rate.js";

const RATE = { ratio: 0.1, minPerSecond: 2 };

function takeAll(rate: RetryRate, calls: number, now: number, policy = RATE): number {
  let taken = 0;
  while (rate.take(policy, calls, now)) taken += 1;
  return taken;
}

describe("RetryRate", () => {
  it("starts full: what ten seconds bring, and never less than ten retries", () => {
    expect(takeAll(new RetryRate(RATE, 0, 0), 0, 0)).toBe(20);
    const none = { ratio: 0, minPerSecond: 0 };
    expect(takeAll(new RetryRate(none, 0, 0), 1_000, 60_000, none)).toBe(10);
  });

  it("earns a share of each call that starts, and a few with time", () => {
    const rate = new RetryRate(RATE, 500, 0);
    takeAll(rate, 500, 0);
    expect(takeAll(rate, 600, 0)).toBe(10);
    expect(takeAll(rate, 600, 3_000)).toBe(6);
    expect(takeAll(rate, 605, 3_250)).toBe(1); // 0.5 + 0.5
  });

  it("saves up no more than it starts with, and none for a clock or a counter that goes back", () => {
    const rate = new RetryRate(RATE, 0, 0);
    expect(takeAll(rate, 1_000_000, 3_600_000)).toBe(20);
    expect(takeAll(rate, 0, 0)).toBe(0);
  });

  it("keeps what was saved up when policy changes, within the new bounds", () => {
    const rate = new RetryRate(RATE, 0, 0);
    for (let each = 0; each < 15; each++) rate.take(RATE, 0, 0);
    expect(rate.left({ ratio: 1, minPerSecond: 100 }, 0, 0)).toBe(5);
    expect(new RetryRate(RATE, 0, 0).left({ ratio: 1, minPerSecond: 0 }, 0, 0)).toBe(10);
  });

  it("never lets more through than calls and time have earned, whatever comes", () => {
    const random = seededRandom(5);
    for (let seed = 0; seed < 200; seed++) {
      const policy = { ratio: random.next(), minPerSecond: random.int(5) };
      const rate = new RetryRate(policy, 0, 0);
      let calls = 0;
      let now = 0;
      let taken = 0;
      for (let step = 0; step < 200; step++) {
        calls += random.int(4);
        now += random.next() * 100;
        if (rate.take(policy, calls, now)) taken += 1;
        const earned =
          Math.max(10, 10 * policy.minPerSecond) + calls * policy.ratio + (now / 1_000) * policy.minPerSecond;
        expect(taken).toBeLessThanOrEqual(earned + 1e-6);
      }
    }
  });
});
