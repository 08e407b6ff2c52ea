// Runs commands one after the other, all of them whatever fails, and closes with what did, so that the end of a long log tells all.

import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/**
 * @param {readonly string[]} rounds shell commands
 * @param {string} results name of the file that test runners of these rounds leave in each workspace
 */
export function runRounds(rounds, results) {
  const env = { ...process.env, TEST_BUILT: "1" };
  let failed = false;
  for (const command of [...rounds, `node .ci/summary.mjs ${results}`]) {
    // `npm run` puts the programs of the dependencies on the path.
    const { status } = spawnSync(command, { cwd: root, shell: true, stdio: "inherit", env });
    failed ||= status !== 0;
  }
  process.exitCode = failed ? 1 : 0;
}
