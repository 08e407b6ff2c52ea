import { mergeConfig } from "vitest/config";
import base from "../../vitest.config.js";

// On the lines of Node besides the one that runs the tests: what `npm test` has no time for.
const config = mergeConfig(base, { test: { fileParallelism: false } });
config.test.include = ["src/*.lines.test.ts"];
export default config;
