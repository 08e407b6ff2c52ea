import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { OutcomeView } from "@inmesh/core/admin";
import { parseDump } from "@inmesh/core/internal";
import { FakeClock } from "@inmesh/core/testing";
import { afterEach, beforeEach, expect, it } from "vitest";
import { RecordDumps } from "./record-dumps.js";

const OUTCOME = {
  ...{ direction: "outbound", wallMs: 1, durationMs: 2, attempts: [], ledger: {}, host: "reviews", traceId: "t" },
} as unknown as OutcomeView;

let directory: string;
let clock: FakeClock;
let dumps: RecordDumps;
let warnings: string[];
let outcomes: OutcomeView[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "dumps-"));
  clock = new FakeClock();
  warnings = [];
  outcomes = [OUTCOME];
  dumps = new RecordDumps({
    clock,
    head: { namespace: "shop", service: "web", instance: "web/../1", pid: 7 },
    outcomes: () => outcomes,
    onWarning: (message) => warnings.push(message),
  });
  dumps.open(directory);
});
afterEach(() => {
  dumps.close();
  rmSync(directory, { recursive: true, force: true });
});

const folder = () => join(directory, "recorder");
const read = (name: string) => parseDump(readFileSync(join(folder(), name), "utf8"));

it("writes for its own user only, under a name that leads nowhere else", () => {
  dumps.leaving();
  expect(readdirSync(folder())).toEqual(["web_.._1-end.jsonl"]);
  expect(statSync(folder()).mode & 0o777).toBe(0o700);
  expect(statSync(join(folder(), "web_.._1-end.jsonl")).mode & 0o777).toBe(0o600);
  expect(read("web_.._1-end.jsonl")).toMatchObject({ service: "web", pid: 7, cause: "end", outcomes: [OUTCOME] });
});

it("waits a moment after a breaker has opened, and joins those that open together", () => {
  dumps.breakerOpened("a opened");
  dumps.breakerOpened("b opened");
  clock.advance(249);
  expect(readdirSync(directory)).toEqual([]);
  outcomes = [OUTCOME, OUTCOME];
  clock.advance(1);
  expect(read("web_.._1-breaker.jsonl")).toMatchObject({ reason: "a opened", outcomes: [OUTCOME, OUTCOME] });
  dumps.breakerOpened("c opened");
  clock.advance(9_999);
  expect(read("web_.._1-breaker.jsonl")?.reason).toBe("a opened");
  clock.advance(1);
  expect(read("web_.._1-breaker.jsonl")?.reason).toBe("c opened");
});

it("follows no link, keeps a bounded number of files, and leaves others alone", () => {
  mkdirSync(folder());
  writeFileSync(join(directory, "precious"), "mine");
  symlinkSync(join(directory, "precious"), join(folder(), "web_.._1-end.jsonl.7.tmp"));
  for (let at = 0; at < 40; at++) {
    const path = join(folder(), `old-${at}.jsonl`);
    writeFileSync(path, "");
    utimesSync(path, at + 1, at + 1);
  }
  writeFileSync(join(folder(), "notes.txt"), "mine");
  dumps.leaving();
  const left = readdirSync(folder());
  expect(left.filter((name) => name.endsWith(".jsonl"))).toHaveLength(24);
  expect(left).toEqual(expect.arrayContaining(["web_.._1-end.jsonl", "old-39.jsonl", "notes.txt"]));
  expect(left).not.toContain("old-0.jsonl");
  expect(readFileSync(join(directory, "precious"), "utf8")).toBe("mine");
});

it("writes nothing when there is nothing, and says once when it cannot", () => {
  outcomes = [];
  dumps.leaving();
  expect(readdirSync(directory)).toEqual([]);
  outcomes = [OUTCOME];
  writeFileSync(folder(), "a file is in the way");
  dumps.leaving();
  dumps.leaving();
  expect(warnings).toEqual([expect.stringMatching(/^the last requests cannot be written to .*EEXIST|ENOTDIR/)]);
});

it("says of a crash what kind it was, and not what the application said", () => {
  (process as NodeJS.EventEmitter).emit(
    "uncaughtExceptionMonitor",
    new TypeError("password is hunter2"),
    "uncaughtException",
  );
  const text = readFileSync(join(folder(), "web_.._1-crash.jsonl"), "utf8");
  expect(parseDump(text)?.reason).toBe("uncaughtException: TypeError");
  expect(text).not.toContain("hunter2");
});
