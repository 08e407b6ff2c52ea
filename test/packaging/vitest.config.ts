import { mergeConfig } from "vitest/config";
import base from "../../vitest.config.js";

// Installs and compiles whole projects, in processes of their own: each step has its own bound, and two files run at once.
export default mergeConfig(base, {
  test: { globalSetup: "./src/packed.setup.ts", testTimeout: 120_000, hookTimeout: 120_000, maxWorkers: 2 },
});
