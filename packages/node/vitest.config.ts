import { mergeConfig } from "vitest/config";
import base from "../../vitest.config.js";

// Child processes run the built packages, as an application does.
export default mergeConfig(base, {
  test: {
    globalSetup: ["../../.ci/build.mjs", "./test/no-process-left.ts"],
    setupFiles: ["./test/setup.ts"],
    testTimeout: 20_000,
  },
});
