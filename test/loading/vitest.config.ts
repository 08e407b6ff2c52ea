import { mergeConfig } from "vitest/config";
import base from "../../vitest.config.js";

// Child processes run the built packages, as an application does; one upstream serves all files of the suite. No more than two
// start at once: where all do, a call may wait longer for its configuration than calls do.
export default mergeConfig(base, {
  test: {
    globalSetup: ["../../.ci/build.mjs", "./src/upstream.ts"],
    setupFiles: ["./src/undo.setup.ts"],
    maxConcurrency: 2,
    testTimeout: 60_000,
  },
});
