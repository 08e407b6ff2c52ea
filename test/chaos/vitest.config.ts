import { mergeConfig } from "vitest/config";
import base from "../../vitest.config.js";

// One run side by side: the processes it starts are built code, as applications are.
export default mergeConfig(base, {
  test: { globalSetup: ["../../.ci/build.mjs"], fileParallelism: false, testTimeout: 60_000, hookTimeout: 180_000 },
});
