// Adds up what the test runners of all workspaces wrote, and closes with one line that people and machines can read.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
let passed = 0;
let failed = 0;
let skipped = 0;

for (const folder of ["packages", "test", "examples"]) {
  if (!existsSync(join(root, folder))) continue;
  for (const name of readdirSync(join(root, folder))) {
    const file = join(root, folder, name, "node_modules", ".cache", "test-results.json");
    if (!existsSync(file)) continue;
    const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(file, "utf8"));
    console.log(`${`${folder}/${name}`.padEnd(24)} ${String(numPassedTests).padStart(6)} passed`);
    passed += numPassedTests;
    failed += numFailedTests;
    skipped += numPendingTests;
  }
}

console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
if (passed === 0 || failed > 0) process.exit(1);
