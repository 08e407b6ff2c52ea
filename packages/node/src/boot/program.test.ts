import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isLauncher, isTestRunner } from "./program.js";

describe("isLauncher", () => {
  it.each([
    "/usr/lib/node_modules/npm/bin/npm-cli.js",
    "/usr/share/nodejs/npm/bin/npx-cli.js",
    "C:\\Program Files\\nodejs\\node_modules\\npm\\bin\\npm-cli.js",
    "/app/node_modules/pnpm/bin/pnpm.cjs",
    "/home/ann/.cache/node/corepack/v1/pnpm/10.2.0/bin/pnpm.cjs",
    "/home/ann/.cache/node/corepack/v1/yarn/4.5.0/yarn.js",
    "/home/ann/.cache/node/corepack/v1/yarn/1.22.22/bin/yarn.js",
    "/usr/lib/node_modules/yarn/bin/yarn.js",
    "/app/.yarn/releases/yarn-4.5.0.cjs",
    "/usr/lib/node_modules/corepack/dist/pnpm.js",
    "/app/node_modules/nodemon/bin/nodemon.js",
    "/app/node_modules/tsx/dist/cli.mjs",
    "/app/node_modules/concurrently/dist/bin/concurrently.js",
  ])("knows %s", (program) => {
    expect(isLauncher(program)).toBe(true);
  });

  it.each([
    "/app/server.js",
    "/app/npm.js",
    "/app/yarn.js",
    "/srv/yarn/cli.js",
    "/srv/pnpm/server.js",
    "/app/node_modules/tsx/dist/loader.mjs",
    "/nowhere/at/all",
    undefined,
  ])("takes %s for a service", (program) => {
    expect(isLauncher(program)).toBe(false);
  });

  it("follows the link of a bin folder", () => {
    const folder = mkdtempSync(join(tmpdir(), "inmesh-program-"));
    try {
      const file = join(folder, "npm", "bin", "npm-cli.js");
      mkdirSync(join(file, ".."), { recursive: true });
      writeFileSync(file, "");
      symlinkSync(file, join(folder, "npm-link"));
      expect(isLauncher(join(folder, "npm-link"))).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("isTestRunner", () => {
  it.each<[string | undefined, string[], Record<string, string>, boolean]>([
    ["/app/node_modules/jest/bin/jest.js", [], {}, true],
    ["/app/node_modules/jest-worker/build/workers/processChild.js", [], {}, true],
    ["/app/node_modules/vitest/dist/workers/forks.js", [], {}, true],
    ["/app/node_modules/.pnpm/vitest@4.0.0/node_modules/vitest/vitest.mjs", [], {}, true],
    ["/app/a.test.js", [], { NODE_TEST_CONTEXT: "child-v8" }, true],
    [undefined, ["--test"], {}, true],
    ["/app/server.js", [], {}, false],
    ["/app/jest/server.js", [], {}, false],
  ])("%s %j %j: %s", (program, execArgv, env, expected) => {
    expect(isTestRunner(program, execArgv, env)).toBe(expected);
  });
});
