/** Several processes at one folder, and one that dies at the worst moment. They run what is built. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";

const BUILT = new URL("../../dist/ca/index.js", import.meta.url).href;
const CORE = new URL("../../../core/dist/index.js", import.meta.url).href;

let base: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "inmesh-ca-"));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(base, { recursive: true, force: true });
});

/** @param program of a module; `ca`, `core` and `directory` are there, `say` prints a line */
function start(program: string): ChildProcess {
  const head = `const ca = await import(${JSON.stringify(BUILT)}); const core = await import(${JSON.stringify(CORE)});
const directory = ${JSON.stringify(join(base, ".ca"))};
const say = (text) => process.stdout.write(text + "\\n");
const options = { directory, clock: core.systemClock, random: core.systemRandom };\n`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", head + program], {
    stdio: ["ignore", "pipe", "inherit"],
    timeout: 60_000,
  });
  children.push(child);
  return child;
}

const OPEN = `const authority = await ca.FolderAuthority.open({ ...options, make: { trustDomain: "cluster.local" } });
say(authority.bundles.get("cluster.local").join(""));`;

async function said(child: ChildProcess): Promise<string> {
  let text = "";
  child.stdout?.on("data", (piece) => (text += piece));
  await once(child, "close");
  return text;
}

it("processes that start at once make one authority", async () => {
  const roots = await Promise.all(Array.from({ length: 4 }, () => said(start(OPEN))));
  expect(roots[0]).toContain("BEGIN CERTIFICATE");
  expect(new Set(roots).size).toBe(1);
  expect(readdirSync(join(base, ".ca")).filter((name) => name.startsWith("root-"))).toHaveLength(2);
});

it("a process killed while it makes the authority keeps nobody from making it", async () => {
  const first = start(`await ca.initAuthority(new ca.AuthorityFolder(options), {
  trustDomains: ["cluster.local"],
  keepRoot: () => new Promise((resolve) => { say("half way"); setTimeout(resolve, 60_000); }),
});`);
  await once(first.stdout!, "data"); // it was asked for
  first.kill("SIGKILL");
  await once(first, "close");
  expect(readdirSync(join(base, ".ca")).some((name) => name.startsWith(".inmesh-lock-"))).toBe(true);
  expect(await said(start(OPEN))).toContain("BEGIN CERTIFICATE");
  expect(readdirSync(join(base, ".ca")).some((name) => name.startsWith(".inmesh-lock-"))).toBe(false);
});
