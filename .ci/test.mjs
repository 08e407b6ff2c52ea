// Runs everything that can fail, and closes with what did, so that the end of a long log tells all.

import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const rounds = [
  "turbo run lint test --concurrency=2 --continue --output-logs=new-only --log-order=grouped",
  // Each of these starts processes that want the machine for themselves.
  "turbo run e2e --concurrency=1 --continue --output-logs=new-only",
];

const env = { ...process.env, TEST_BUILT: "1" };
let failed = false;
for (const command of [...rounds, "node .ci/summary.mjs"]) {
  // `npm test` puts the programs of the dependencies on the path.
  const { status } = spawnSync(command, { cwd: root, shell: true, stdio: "inherit", env });
  failed ||= status !== 0;
}
process.exitCode = failed ? 1 : 0;
