import { expect, it } from "vitest";
import { createLog, LOG_LEVELS } from "./log.js";

it.each([
  ["error", ["inmesh: e\n"]],
  ["warn", ["inmesh: e\n", "inmesh: w\n"]],
  ["info", ["inmesh: e\n", "inmesh: w\n", "inmesh info: i\n"]],
  ["debug", ["inmesh: e\n", "inmesh: w\n", "inmesh info: i\n", "inmesh debug: d\n"]],
] as const)("at level %s writes what is at least that severe", (level, expected) => {
  const lines: string[] = [];
  const log = createLog(level, (line) => lines.push(line));
  for (const each of LOG_LEVELS) log[each](each[0] as string);
  expect(lines).toEqual(expected);
});

it("keeps a message on one line", () => {
  const lines: string[] = [];
  createLog("warn", (line) => lines.push(line)).warn("first\n  second");
  expect(lines).toEqual(["inmesh: first | second\n"]);
});
