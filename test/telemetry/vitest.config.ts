import { mergeConfig } from "vitest/config";
import base from "../../vitest.config.js";

// The processes it starts are built code, as applications are. No more than two of a file start at once: where all do, a request may
// wait longer for a configuration than requests do.
export default mergeConfig(base, {
  test: {
    globalSetup: ["../../.ci/build.mjs"],
    maxWorkers: 2,
    maxConcurrency: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
