import { mergeConfig } from "vitest/config";
import base from "../../vitest.config.js";

// Whoever patches a function of Node's takes it back: the modules are loaded once for all.
export default mergeConfig(base, { test: { isolate: false } });
