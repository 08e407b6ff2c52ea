import { mergeConfig } from "vitest/config";
import base from "../../vitest.config.js";

export default mergeConfig(base, { test: { testTimeout: 60_000, hookTimeout: 60_000 } });
