// Adds up what the test runners of all workspaces wrote, repeats what failed, and closes with one line that people and machines can read.
// `node .ci/summary.mjs FILE`: the name of what they wrote.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const [results] = process.argv.slice(2);
let passed = 0;
let failed = 0;
let skipped = 0;
const failures = [];

for (const folder of ["packages", "test", "examples"]) {
  if (!existsSync(join(root, folder))) continue;
  for (const name of readdirSync(join(root, folder))) {
    const file = join(root, folder, name, "node_modules", ".cache", results);
    if (!existsSync(file)) continue;
    const { numPassedTests, numFailedTests, numPendingTests, testResults } = JSON.parse(readFileSync(file, "utf8"));
    console.log(`${`${folder}/${name}`.padEnd(24)} ${String(numPassedTests).padStart(6)} passed`);
    passed += numPassedTests;
    failed += numFailedTests;
    skipped += numPendingTests;
    failures.push(...testResults.flatMap((result) => failuresOf(result)));
  }
}

for (const failure of failures) console.log(`\n${failure}`);
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
if (passed === 0 || failed > 0) process.exit(1);

/** @returns a text for each test that failed, and for a file that could not be run */
function failuresOf({ name, status, message, assertionResults }) {
  const tests = assertionResults.filter((test) => test.status === "failed");
  if (tests.length === 0) return status === "failed" ? [`FAILED ${relative(root, name)}\n${message}`] : [];
  return tests.map(
    ({ fullName, failureMessages }) => `FAILED ${relative(root, name)}: ${fullName}\n${failureMessages.join("\n")}`,
  );
}
