import { mergeConfig } from "vitest/config";
import base from "../../vitest.config.js";

// Commands get their streams, their folder and their environment as arguments: loading them anew for each file took half a minute.
export default mergeConfig(base, { test: { isolate: false } });
