import { mergeConfig } from "vitest/config";
import base from "../../vitest.config.js";

// Two files at a time: each has a Consul of its own, and this runs beside the tests of other packages.
export default mergeConfig(base, {
  test: { maxWorkers: 2, maxConcurrency: 30, testTimeout: 30_000, hookTimeout: 60_000 },
});
