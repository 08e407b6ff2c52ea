import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { FileSink } from "./file-sink.js";

let folder = "";
let path = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "inmesh-log-"));
  path = join(folder, "access.log");
});
afterEach(() => rmSync(folder, { recursive: true }));

const read = (): string => readFileSync(path, "utf8");

it("appends to a file that is this user's alone", async () => {
  const sink = new FileSink({ path });
  expect(await sink.write("a\n")).toBeUndefined();
  expect(await sink.write("b\n")).toBeUndefined();
  await sink.close();
  expect(read()).toBe("a\nb\n");
  if (process.platform !== "win32") expect(statSync(path).mode & 0o777).toBe(0o600);
});

it("goes on in a new file when the old one was moved away", async () => {
  const sink = new FileSink({ path });
  await sink.write("old\n");
  renameSync(path, `${path}.moved`);
  await sink.write("new\n");
  await sink.close();
  expect([readFileSync(`${path}.moved`, "utf8"), read()]).toEqual(["old\n", "new\n"]);
});

it("sets a file aside that has grown past its bound, and keeps one of them", async () => {
  const sink = new FileSink({ path, maxBytes: 10 });
  for (const line of ["first line\n", "second line\n", "third\n"]) await sink.write(line);
  await sink.close();
  expect([readFileSync(`${path}.1`, "utf8"), read()]).toEqual(["second line\n", "third\n"]);
});

it.runIf(existsSync("/dev/full"))("says that a disk is full, and how many lines that cost", async () => {
  const sink = new FileSink({ path: "/dev/full" });
  expect(await sink.write("a\nb\n")).toEqual({
    message: "no space left on the device (ENOSPC)",
    dead: false,
    lost: 2,
  });
  await sink.close();
});

it("says what is wrong with a place that is none", async () => {
  const sink = new FileSink({ path: join(folder, "no", "where") });
  expect(await sink.write("a\n")).toMatchObject({ message: expect.stringContaining("ENOENT"), lost: 1 });
  sink.writeNow("b\n");
});

it("writes while the process exits, opened or not", () => {
  new FileSink({ path }).writeNow("last\n");
  expect(read()).toBe("last\n");
});
