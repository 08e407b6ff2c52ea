import { mergeConfig } from "vitest/config";
import base from "../../vitest.config.js";

// Whole processes under load: one file after the other, and dist/ brought up to date before.
export default mergeConfig(base, {
  test: { fileParallelism: false, testTimeout: 60_000, hookTimeout: 60_000, globalSetup: ["../../.ci/build.mjs"] },
});
