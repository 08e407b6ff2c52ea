import { mergeConfig } from "vitest/config";
import base from "../../vitest.config.js";

// Each example is a handful of processes: one after the other.
export default mergeConfig(base, { test: { fileParallelism: false, testTimeout: 60_000, hookTimeout: 30_000 } });
