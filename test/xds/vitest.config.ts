import { mergeConfig } from "vitest/config";
import base from "../../vitest.config.js";

// Each file has servers of its own; they wait more than they work.
export default mergeConfig(base, { test: { maxWorkers: 2, testTimeout: 60_000, hookTimeout: 60_000 } });
