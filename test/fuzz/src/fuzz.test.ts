import { expect, it } from "vitest";
import { fuzz } from "./fuzzer.js";
import { TARGETS } from "./input/targets.js";
import { judge } from "./judge.js";
import { readSeeds } from "./seeds.js";

/** `npm run matrix` takes all of what `npm test` takes the beginning of: the same seeds, so the same cases. */
const IN_FULL = process.env["INMESH_MATRIX"] === "1";
const DOCUMENTS = IN_FULL ? 20_000 : 4_000;
const INPUTS = IN_FULL ? 10_000 : 2_000;

it("starts from documents that are valid as they stand", () => {
  const { texts } = readSeeds();
  expect(texts.length).toBeGreaterThan(10);
  for (const text of texts) expect(judge(text)).toMatchObject({ faults: [] });
  expect(texts.reduce((sum, text) => sum + judge(text).valid, 0)).toBe(texts.length);
});

it(`${DOCUMENTS} mutated documents crash nothing, hang nothing, change no prototype, and every problem has its place`, async () => {
  const { failures, done, valid, problems } = await fuzz({ cases: DOCUMENTS, seed: 20_261_127 });
  expect(failures).toEqual([]);
  expect(done).toBe(DOCUMENTS);
  expect(valid).toBeGreaterThan(DOCUMENTS / 10);
  expect(problems).toBeGreaterThan(DOCUMENTS);
}, 300_000);

it.each(Object.keys(TARGETS))(
  `${INPUTS} mutated inputs of %s crash nothing and hang nothing`,
  async (target) => {
    const { failures, done, valid, problems } = await fuzz({ target, cases: INPUTS, seed: 20_261_128 });
    expect(failures).toEqual([]);
    expect(done).toBe(INPUTS);
    // Mutations that go nowhere try nothing.
    expect(valid).toBeGreaterThan(INPUTS / 500);
    expect(problems).toBeGreaterThan(INPUTS / 100);
  },
  300_000,
);
