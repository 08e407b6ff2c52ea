import { expect, it } from "vitest";
import { createLog, type LogLevel } from "./log.js";
import { readLevels } from "./settings/log-levels.js";
import { isInvalid } from "./settings/values.js";

const ALL = ["error", "warn", "info", "debug", "trace"] as const;

function lines(levels: string, format: "text" | "json" = "text") {
  const written: string[] = [];
  let now = 0;
  const read = readLevels(levels, { level: "warn", scopes: {} });
  if (isInvalid(read)) throw new Error(read.invalid);
  const log = createLog(read, { write: (line) => written.push(line), format, now: () => now });
  return {
    log,
    written,
    pass: (ms: number) => {
      now += ms;
    },
  };
}

it.each([
  ["off", []],
  ["error", ["inmesh: e\n"]],
  ["warn", ["inmesh: e\n", "inmesh: w\n"]],
  ["info", ["inmesh: e\n", "inmesh: w\n", "inmesh info: i\n"]],
  ["debug", ["inmesh: e\n", "inmesh: w\n", "inmesh info: i\n", "inmesh debug: d\n"]],
  ["trace", ["inmesh: e\n", "inmesh: w\n", "inmesh info: i\n", "inmesh debug: d\n", "inmesh trace: t\n"]],
] as const)("at level %s writes what is at least that severe", (level: LogLevel, expected) => {
  const { log, written } = lines(level);
  for (const each of ALL) log[each](each.slice(0, 1));
  expect(written).toEqual(expected);
});

it("keeps a message on one line", () => {
  const { log, written } = lines("warn");
  log.warn("first\n  second");
  expect(written).toEqual(["inmesh: first | second\n"]);
});

it("gives a scope a level of its own, and changes levels while it runs", () => {
  const { log, written } = lines("error,tls:debug");
  const tls = log.scope("tls");
  tls.debug("shown");
  log.scope("registry").warn("not shown");
  log.levels = { level: "warn", scopes: {} };
  tls.debug("not any more");
  log.scope("registry").warn("now it is");
  expect(written).toEqual(["inmesh debug: shown\n", "inmesh: now it is\n"]);
});

it("writes the same message once in 10 s and scope, and counts the others", () => {
  const { log, written, pass } = lines("warn");
  for (let count = 0; count < 5; count++) log.warn("away");
  log.scope("tls").warn("away");
  expect(written).toHaveLength(2);
  pass(10_000);
  log.warn("away");
  expect(written.at(-1)).toBe("inmesh: away (repeated=4)\n");
});

it("remembers no more messages than it must", () => {
  const { log, written } = lines("warn");
  for (let count = 0; count < 10_000; count++) log.warn(`message ${count}`);
  log.warn("message 0");
  expect(written).toHaveLength(10_001); // forgotten, so it is written again
});

it("writes JSON for programs", () => {
  const { log, written } = lines("warn", "json");
  log.scope("tls").warn('a "quoted" word');
  expect(JSON.parse(written[0] ?? "")).toMatchObject({
    level: "warn",
    logger: "inmesh",
    scope: "tls",
    msg: 'a "quoted" word',
  });
});

it("hands what is said to the application's logger, and survives it", () => {
  const said: string[] = [];
  const say = (message: string) => void said.push(message);
  const logger = {
    error: say,
    warn: say,
    info: say,
    debug: () => {
      throw new Error("full");
    },
  };
  const log = createLog("trace", { logger });
  log.warn("w");
  log.trace("t");
  expect(said).toEqual(["w"]);
});

it.each([
  ["loud", "expected off, error, warn, info, debug or trace"],
  ["warn,tsl:debug", 'there is no scope "tsl"'],
  ["warn,tls:loud", "expected off"],
])("refuses %s", (text, message) => {
  expect(readLevels(text, { level: "warn", scopes: {} })).toEqual({ invalid: expect.stringContaining(message) });
});
