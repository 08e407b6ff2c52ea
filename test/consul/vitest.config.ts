import { mergeConfig } from "vitest/config";
import base from "../../vitest.config.js";

// Four files at a time, each with a Consul of its own: they wait more than they work.
export default mergeConfig(base, {
  test: { maxWorkers: 4, maxConcurrency: 30, testTimeout: 30_000, hookTimeout: 60_000 },
});
