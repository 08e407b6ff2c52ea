import { mergeConfig } from "vitest/config";
import base from "../../vitest.config.js";

// Processes and sockets of their own: they wait more than they work. Whole processes run dist/, which is brought up to date before.
export default mergeConfig(base, {
  test: { maxWorkers: 2, testTimeout: 60_000, hookTimeout: 60_000, globalSetup: ["../../.ci/build.mjs"] },
});
