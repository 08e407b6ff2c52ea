import { mergeConfig } from "vitest/config";
import base from "../../vitest.config.js";

// Whole sessions with a dozen processes each: one after the other, each with its own bound.
export default mergeConfig(base, { test: { fileParallelism: false, testTimeout: 60_000, hookTimeout: 30_000 } });
