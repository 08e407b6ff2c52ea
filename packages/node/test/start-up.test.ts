import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { newFolder, start } from "./child.js";

/** Files that a process loads, by what V8's coverage says. */
async function loadedFiles(fixture: string, env: Record<string, string> = {}, ...args: string[]): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "inmesh-coverage-"));
  try {
    const child = start(fixture, { folder: newFolder(), args, env: { NODE_V8_COVERAGE: folder, ...env } });
    await child.exited;
    const [file = ""] = readdirSync(folder);
    const { result } = JSON.parse(readFileSync(join(folder, file), "utf8")) as { result: { url: string }[] };
    return result.map(({ url }) => url).filter((url) => url.startsWith("file:"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const isOf = (name: string) => (url: string) =>
  url.includes(`/packages/${name}/`) || url.includes(`/node_modules/${name}/`);

it("loads neither engine nor undici, YAML or schemas before the first call", async () => {
  const files = await loadedFiles("script.mjs");
  expect(files.filter(isOf("node")).length).toBeGreaterThan(5); // the coverage does tell
  for (const name of ["core", "model", "undici", "yaml", "zod", "p-retry", "re2js"]) {
    expect(files.filter(isOf(name)), name).toEqual([]);
  }
  expect(files.length).toBeLessThan(30); // small ones: each costs a fraction of a ms
});

it("loads nothing but its switch with INMESH_MODE=off, and the mesh with the first call", async () => {
  const off = await loadedFiles("script.mjs", { INMESH_MODE: "off" });
  expect(off.filter(isOf("core"))).toEqual([]);
  const calling = await loadedFiles("script.mjs", {}, "http://nobody.invalid/");
  expect(calling.filter(isOf("core")).length).toBeGreaterThan(5);
  expect(calling.filter((url) => !url.includes("/node_modules/")).length).toBeLessThan(100); // each costs a third of a ms
  for (const name of ["consul", "papi"]) expect(calling.filter(isOf(name)), name).toEqual([]);
});
