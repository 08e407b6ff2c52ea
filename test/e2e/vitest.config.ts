import { mergeConfig } from "vitest/config";
import base from "../../vitest.config.js";

// Whole sessions with a dozen processes each: one after the other, each with its own bound. `npm run lines` runs the rest.
const config = mergeConfig(base, { test: { fileParallelism: false, testTimeout: 60_000, hookTimeout: 30_000 } });
config.test.exclude.push("src/*.lines.test.ts");
export default config;
