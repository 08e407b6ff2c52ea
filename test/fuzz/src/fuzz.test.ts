import { expect, it } from "vitest";
import { fuzz } from "./fuzzer.js";
import { judge } from "./judge.js";
import { readSeeds } from "./seeds.js";

it("starts from documents that are valid as they stand", () => {
  const { texts } = readSeeds();
  expect(texts.length).toBeGreaterThan(10);
  for (const text of texts) expect(judge(text)).toMatchObject({ faults: [] });
  expect(texts.reduce((sum, text) => sum + judge(text).valid, 0)).toBe(texts.length);
});

it("20,000 mutated documents crash nothing, hang nothing, change no prototype, and every problem has its place", async () => {
  const { failures, done, valid, problems } = await fuzz({ cases: 20_000, seed: 20_261_127 });
  expect(failures).toEqual([]);
  expect(done).toBe(20_000);
  expect(valid).toBeGreaterThan(2_000);
  expect(problems).toBeGreaterThan(20_000);
}, 120_000);
