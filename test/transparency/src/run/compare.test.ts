import { expect, it } from "vitest";
import { count, lost, repeated } from "./compare.js";
import type { Outcome } from "./outcome.js";

const outcome = (test: string, result: Outcome["result"], message?: string): Outcome => ({
  file: "a.js",
  test,
  result,
  ...(message !== undefined && { message }),
});

it("names what passes bare only, with the reason of the other run", () => {
  const bare = [outcome("one", "pass"), outcome("two", "pass")];
  expect(lost(bare, [outcome("one", "pass"), outcome("two", "fail", "hang up")])).toEqual([
    { file: "a.js", test: "two", message: "hang up" },
  ]);
});

it("takes a test that never reported for lost", () => {
  expect(lost([outcome("one", "pass")], [])).toEqual([{ file: "a.js", test: "one", message: "not run to its end" }]);
});

it("does not blame the mesh for what fails bare, is skipped, or passes in the mesh alone", () => {
  const bare = [outcome("one", "fail"), outcome("two", "skip")];
  expect(lost(bare, [outcome("one", "fail"), outcome("two", "skip"), outcome("three", "pass")])).toEqual([]);
});

it("counts tests that share a name", () => {
  const bare = [outcome("same", "pass"), outcome("same", "pass"), outcome("same", "fail")];
  expect(lost(bare, [outcome("same", "pass"), outcome("same", "pass")])).toEqual([]);
  expect(lost(bare, [outcome("same", "pass"), outcome("same", "fail", "no")])).toMatchObject([{ message: "no" }]);
});

it("keeps tests of the same name in two files apart", () => {
  const elsewhere = { ...outcome("one", "pass"), file: "b.js" };
  expect(lost([outcome("one", "pass"), elsewhere], [elsewhere])).toMatchObject([{ file: "a.js" }]);
});

it("drops what does not repeat", () => {
  const difference = (test: string, message: string) => ({ file: "a.js", test, message });
  const first = [difference("one", "x"), difference("two", "x")];
  expect(repeated(first, [difference("two", "y"), difference("three", "y")])).toEqual([difference("two", "y")]);
});

it("counts passes and failures", () => {
  expect(count([outcome("a", "pass"), outcome("b", "fail"), outcome("c", "skip")])).toEqual({ pass: 1, fail: 1 });
});
