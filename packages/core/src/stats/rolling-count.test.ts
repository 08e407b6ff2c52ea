import { expect, it } from "vitest";
import { seededRandom } from "../runtime/random.js";
import { RollingCount } from "./rolling-count.js";

it("counts by kind and forgets bucket by bucket", () => {
  const count = new RollingCount(2, 1_000, 0);
  count.add(0, 0);
  count.add(0, 50);
  count.add(1, 100);
  expect([count.sum(0, 999), count.sum(1, 999)]).toEqual([2, 1]);
  expect([count.sum(0, 1_000), count.sum(1, 1_000)]).toEqual([0, 1]);
  expect(count.sum(1, 1_100)).toBe(0);
});

it("agrees with a list of everything, over gaps and long silences", () => {
  const random = seededRandom(4);
  const count = new RollingCount(1, 1_000, 0);
  const times: number[] = [];
  let now = 0;
  for (let step = 0; step < 5_000; step++) {
    now += random.next() < 0.01 ? random.int(5_000) : random.int(40);
    times.push(now);
    count.add(0, now);
    const from = (Math.floor(now / 100) - 9) * 100;
    expect(count.sum(0, now)).toBe(times.filter((time) => time >= from).length);
  }
});

it("is empty when cleared, and takes a reading from before for one of now", () => {
  const count = new RollingCount(1, 1_000, 5_000);
  count.add(0, 5_500);
  count.add(0, 5_100);
  expect(count.sum(0, 5_500)).toBe(2);
  count.clear();
  expect(count.sum(0, 5_500)).toBe(0);
});
