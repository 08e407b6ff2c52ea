// Adds up what the test runners of all workspaces wrote, repeats what failed, and closes with one line that people and machines can read.
// `node .ci/summary.mjs FILE`: the name of what they wrote.

import { relative } from "node:path";
import { AGAIN, isFailed, readResults, root, workspaces } from "./results.mjs";

const [results] = process.argv.slice(2);
let passed = 0;
let failed = 0;
let skipped = 0;
let alone = 0;
const failures = [];

for (const folder of workspaces()) {
  const first = readResults(folder, results);
  if (first === undefined) continue;
  const again = new Map(readResults(folder, AGAIN)?.testResults.map((result) => [result.name, result]));
  skipped += first.numPendingTests;
  for (const { name, status, message, assertionResults } of first.testResults) {
    const file = relative(root, name);
    const tests = assertionResults.filter(isFailed);
    if (tests.length === 0 && status === "failed" && again.get(name)?.status !== "passed")
      failures.push(`FAILED ${file}\n${message}`);
    for (const { fullName, failureMessages } of tests) {
      const passes = again
        .get(name)
        ?.assertionResults.some((test) => test.fullName === fullName && test.status === "passed");
      failures.push(`${passes ? "PASSED ALONE ONLY" : "FAILED"} ${file}: ${fullName}\n${failureMessages.join("\n")}`);
      if (passes) alone += 1;
      else failed += 1;
    }
  }
  console.log(`${folder.padEnd(24)} ${String(first.numPassedTests).padStart(6)} passed`);
  passed += first.numPassedTests;
}

for (const failure of failures) console.log(`\n${failure}`);
if (alone > 0)
  console.log(`\n${alone} of those that passed failed beside everything else, and passed alone: see above`);
console.log(`${passed + alone} passed, ${failed} failed, ${skipped} skipped`);
if (passed === 0 || failed > 0) process.exit(1);
