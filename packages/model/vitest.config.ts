import { mergeConfig } from "vitest/config";
import base from "../../vitest.config.js";

// Policy is data: no test changes anything that another one sees, and loading YAML and schemas for each file took 30 s.
export default mergeConfig(base, { test: { isolate: false } });
