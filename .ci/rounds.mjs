// Runs turbo's tasks one round after the other, all of them whatever fails, and closes with what did, so that the end of a long log
// tells all. What failed beside everything else is heard a second time alone (docs/design/2026-11-29-second-hearing.md).

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { AGAIN, failingFiles, readResults, resultsIn, root, workspaces } from "./results.mjs";

/** Tests that failed in all rounds together: of more than these the cause is no busy machine. */
const MOST_AGAIN = 20;
const SUMMARIES = join(root, ".turbo", "runs");

/**
 * @param {readonly string[]} rounds arguments of `turbo run`, each for tasks that run vitest, or anything that is not heard again
 * @param {string} results name of the file that test runners of these rounds leave in each workspace
 */
export function runRounds(rounds, results) {
  for (const folder of workspaces())
    for (const name of [results, AGAIN]) rmSync(resultsIn(folder, name), { force: true });
  const failed = rounds.flatMap((round) => failedTasks(round));
  const settled = hearAgain(failed, results);
  const { status } = run(`node .ci/summary.mjs ${results}`, root);
  process.exitCode = settled && status === 0 ? 0 : 1;
}

/** @returns a task of turbo's summary for each that failed, and one without a folder where turbo did not come to run any */
function failedTasks(round) {
  rmSync(SUMMARIES, { recursive: true, force: true });
  if (run(`turbo run ${round} --summarize`, root).status === 0) return [];
  let tasks = [];
  try {
    const [only] = readdirSync(SUMMARIES);
    ({ tasks } = JSON.parse(readFileSync(join(SUMMARIES, only), "utf8")));
  } catch {
    // It ended before there was anything to sum up.
  }
  const failed = tasks.filter(({ execution }) => execution !== undefined && execution.exitCode !== 0);
  return failed.length > 0 ? failed : [{ taskId: round }];
}

/** @returns whether every task that failed did so for tests that pass alone */
function hearAgain(failed, results) {
  const cases = failed.map((task) => ({ ...task, ...failingFiles(readResults(task.directory, results)) }));
  if (cases.reduce((sum, { tests }) => sum + tests, 0) > MOST_AGAIN) {
    console.log(`\nMore than ${MOST_AGAIN} tests failed: none is run once more.`);
    return false;
  }
  let settled = true;
  for (const { taskId, task, directory, files } of cases) {
    if (files.length === 0) {
      console.log(`\n${taskId} failed, and not for a test.`);
      settled = false;
      continue;
    }
    console.log(`\n${taskId} failed: ${files.length} of its files once more, with nothing beside them.\n`);
    const asked = files.map((file) => JSON.stringify(file)).join(" ");
    const { status } = run(
      `npm run ${task} -- ${asked} --outputFile.json=node_modules/.cache/${AGAIN}`,
      join(root, directory),
    );
    settled &&= status === 0;
  }
  return settled;
}

/** `npm run` puts the programs of the dependencies on the path. */
function run(command, cwd) {
  return spawnSync(command, { cwd, shell: true, stdio: "inherit", env: { ...process.env, TEST_BUILT: "1" } });
}
