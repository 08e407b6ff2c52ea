/** Test runners as users start them, with the mesh in NODE_OPTIONS: tests pass, mocks win, the runner ends, and it is no service. */

import { watch } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { describe, expect, inject, it } from "vitest";
import { nodeOfLine, PRELOAD, run } from "./run.js";

const { resolve } = createRequire(import.meta.url);
const JEST = join(dirname(resolve("jest/package.json")), "bin/jest.js");
const VITEST = join(dirname(resolve("vitest/package.json")), "vitest.mjs");
const ESM = `${PRELOAD} --experimental-vm-modules --no-warnings`;

interface Case {
  readonly cwd: string;
  readonly args: readonly string[];
  readonly options?: string;
  readonly service: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly command?: string;
}

/** @returns how it ended, what it said, and the leases that its service had meanwhile */
async function runTests({ cwd, args, options = PRELOAD, service, env = {}, command }: Case) {
  const seen = new Set<string>();
  const watcher = watch(join(inject("folder"), ".workloads"), (_, name) => {
    if (name?.includes(`.${service}.`)) seen.add(name);
  });
  try {
    const runner = run(args, {
      cwd: `fixtures/runners/${cwd}`,
      service,
      ...(command !== undefined && { command }),
      env: { NODE_OPTIONS: options, NO_COLOR: "1", ...env },
    });
    const { code } = await runner.ended;
    return { code, said: runner.out() + runner.errors(), leases: [...seen] };
  } finally {
    watcher.close();
  }
}

describe("a test runner", () => {
  it.for<[string, string, string[], string, string?]>([
    ["jest, CommonJS, two workers", "jest-cjs", [JEST, "--ci", "--maxWorkers=2"], "4 passed"],
    ["jest, CommonJS, worker threads", "jest-cjs", [JEST, "--ci", "--maxWorkers=2", "--workerThreads"], "4 passed"],
    ["jest, ESM, in one process", "jest-esm", [JEST, "--ci", "--runInBand"], "4 passed", ESM],
    ["vitest, threads", "vitest", [VITEST, "run", "--pool", "threads"], "4 passed"],
    ["vitest, forks", "vitest", [VITEST, "run", "--pool", "forks"], "4 passed"],
    ["node --test", "node-test", ["--test"], "# pass 1"],
  ])("%s: passes, ends, and has no lease", async ([name, cwd, args, passed, options = PRELOAD]) => {
    const service = `r-${name.replaceAll(/\W+/g, "-").toLowerCase()}`.slice(0, 40);
    const { code, said, leases } = await runTests({ cwd, args, options, service });
    expect(said).toContain(passed);
    expect([code, leases]).toEqual([0, []]);
    expect(said).not.toMatch(/inmesh: |did not exit/);
  });

  it("node --test in one process, on Node 24: passes, ends, and has no lease", async (context) => {
    const command = await nodeOfLine("24");
    if (command === undefined) return context.skip("npx cannot have node@24");
    const args = ["--test", "--test-isolation=none"];
    const { code, said, leases } = await runTests({ cwd: "node-test", args, service: "r-in-one", command });
    expect([code, leases]).toEqual([0, []]);
    expect(said).toMatch(/pass 1\b/);
    expect(said).not.toContain("inmesh: ");
  });

  it("jest: a copy of undici inside its sandbox goes past the mesh, and that is said", async () => {
    const args = [JEST, "--ci", "--runInBand"];
    const { code, said, leases } = await runTests({ cwd: "jest-sandbox", args, service: "r-sandbox" });
    expect([code, leases]).toEqual([0, []]);
    expect(said).toMatch(/inmesh: a copy of undici that the mesh does not see called echo/);
  });

  it("has one when it is told to", async () => {
    const env = { INMESH_LEASE: "always" };
    const { code, leases } = await runTests({ cwd: "node-test", args: ["--test"], service: "told", env });
    expect([code, leases.length > 0]).toEqual([0, true]);
  });
});
