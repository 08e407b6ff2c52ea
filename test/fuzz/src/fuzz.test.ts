import { expect, it } from "vitest";
import { fuzz } from "./fuzzer.js";
import { TARGETS } from "./input/targets.js";
import { judge } from "./judge.js";
import { readSeeds } from "./seeds.js";

it("starts from documents that are valid as they stand", () => {
  const { texts } = readSeeds();
  expect(texts.length).toBeGreaterThan(10);
  for (const text of texts) expect(judge(text)).toMatchObject({ faults: [] });
  expect(texts.reduce((sum, text) => sum + judge(text).valid, 0)).toBe(texts.length);
});

it("10,000 mutated documents crash nothing, hang nothing, change no prototype, and every problem has its place", async () => {
  const { failures, done, valid, problems } = await fuzz({ cases: 10_000, seed: 20_261_127 });
  expect(failures).toEqual([]);
  expect(done).toBe(10_000);
  expect(valid).toBeGreaterThan(1_000);
  expect(problems).toBeGreaterThan(10_000);
}, 300_000);

it.each(Object.keys(TARGETS))(
  "10,000 mutated inputs of %s crash nothing and hang nothing",
  async (target) => {
    const { failures, done, valid, problems } = await fuzz({ target, cases: 10_000, seed: 20_261_128 });
    expect(failures).toEqual([]);
    expect(done).toBe(10_000);
    // Mutations that go nowhere try nothing.
    expect(valid).toBeGreaterThan(20);
    expect(problems).toBeGreaterThan(100);
  },
  300_000,
);
