/** Which program a process runs, as far as it matters to a preload that NODE_OPTIONS hands to every Node process. */

import { realpathSync } from "node:fs";

/**
 * Package managers and programs that only start others: a mesh in them would be a lease of nobody's, and time lost at
 * each start. What they start is meshed.
 */
const LAUNCHERS = [
  /\/npm\/bin\/np[mx]-cli\.js$/,
  /\/pnpm\/(?:\d[^/]*\/)?(?:bin|dist)\/pnp[mx]\.[cm]?js$/,
  /\/yarn\/(?:\d[^/]*\/)?(?:(?:bin|lib)\/)(?:yarn|yarnpkg|cli)\.c?js$/,
  /\/corepack\/v\d+\/yarn\/\d[^/]*\/yarn\.c?js$/,
  /\/\.yarn\/releases\/yarn-[^/]+\.c?js$/,
  /\/corepack\/dist\/(?:corepack|npm|npx|yarn|yarnpkg|pnpm|pnpx)\.[cm]?js$/,
  /\/nodemon\/bin\/nodemon\.js$/,
  /\/tsx\/dist\/cli\.[cm]js$/,
  /\/(?:concurrently\/dist\/bin|npm-run-all2?\/bin)\/[^/]+\.js$/,
];

/** Their processes run code under test, which is meshed, and are no service themselves. */
const TEST_RUNNER =
  /\/node_modules\/(?:jest|jest-cli|jest-worker|vitest|tinypool|mocha|ava|jasmine|tap|@playwright\/test|playwright)\//;

/** @param program as `process.argv[1]`: a file, or the link to it in a bin folder */
export function isLauncher(program: string | undefined): boolean {
  const file = fileOf(program);
  return LAUNCHERS.some((each) => each.test(file));
}

/** @param env node's own runner tells its processes by a variable */
export function isTestRunner(
  program: string | undefined,
  execArgv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  return env["NODE_TEST_CONTEXT"] !== undefined || execArgv.includes("--test") || TEST_RUNNER.test(fileOf(program));
}

function fileOf(program: string | undefined): string {
  if (program === undefined) return "";
  let file = program;
  if (!/\.[cm]?[jt]sx?$/.test(program)) {
    try {
      file = realpathSync(program); // bin folders hold links
    } catch {
      // no file: a name that a later loader resolves
    }
  }
  return file.replaceAll("\\", "/");
}
