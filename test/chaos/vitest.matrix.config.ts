import { mergeConfig } from "vitest/config";
import base from "./vitest.config.js";

// What `npm test` has no time for.
const config = mergeConfig(base, {});
config.test.include = ["src/**/*.matrix.test.ts"];
config.test.exclude = ["**/dist/**", "**/node_modules/**"];
export default config;
