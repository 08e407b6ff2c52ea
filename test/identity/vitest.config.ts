import { mergeConfig } from "vitest/config";
import base from "../../vitest.config.js";

// The processes it starts are built code, as applications are.
export default mergeConfig(base, {
  test: { globalSetup: ["../../.ci/build.mjs"], maxWorkers: 2, testTimeout: 30_000, hookTimeout: 60_000 },
});
